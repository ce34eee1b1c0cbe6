"""Headlines and tone through their loads: what lands is what was published; a feed or subject that fails leaves the others."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.loads import batches, news
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.news import FEEDS, Coverage, Newsroom
from orchestration.sources.errors import SourceError
from orchestration.sources.gdelt import TONE_DAILY
from orchestration.sources.one_by_one import OTHERS
from orchestration.sources.rss import HEADLINES

FIRST_DAY, SUNDAY = date(2022, 1, 3), date(2025, 1, 5)
HOSTS = {"coindesk": "www.coindesk.com", "cointelegraph": "cointelegraph.com", "decrypt": "decrypt.co"}
FEED_ITEMS = {"coindesk": 25, "cointelegraph": 30, "decrypt": 20}


def test_headlines_land_as_published(opened, ingestion, market, reach):
    span = reach()

    news.load_headlines(ingestion, opened, span)

    landed = ingestion.store.newest(HEADLINES)
    for feed in FEEDS:
        published = Newsroom(market).newest(feed, span.now, FEED_ITEMS[feed])
        rows = landed.filter(pl.col("feed") == feed).select("published_at", "title")
        assert sorted(rows.iter_rows()) == sorted((each.published_at, each.title_at(span.now)) for each in published)
    assert landed.filter(pl.col("available_at") <= pl.col("published_at")).is_empty()
    assert landed["article_id"].null_count() == 0


def test_polls_of_several_days_hold_every_article_once_and_corrected_titles_as_corrections(
    opened, ingestion, market, reach
):
    for days in range(4):
        news.load_headlines(ingestion, opened, reach(SUNDAY + timedelta(days=days)))

    landed = ingestion.store.newest(HEADLINES)
    seen = {
        each.published_at
        for days in range(4)
        for each in Newsroom(market).newest("decrypt", datetime(2025, 1, 6 + days, 0, 45, tzinfo=UTC), 20)
    }
    of_decrypt = landed.filter(pl.col("feed") == "decrypt")
    corrected = landed.filter(pl.col("title").str.ends_with("(Updated)"))
    loaded = ingestion.store.loads(HEADLINES)
    assert of_decrypt.height == len(seen)
    assert of_decrypt["article_id"].n_unique() == of_decrypt.height
    assert corrected.height > 0
    assert sum(load.rows for load in loaded) < landed.height * 1.2  # what came again unchanged did not land again


def test_a_feed_that_is_refused_leaves_the_others(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host=HOSTS["cointelegraph"]))

    (result,) = news.load_headlines(ingestion, opened, reach())

    assert list(result.failures) == ["cointelegraph"]
    assert set(ingestion.store.newest(HEADLINES)["feed"]) == {"coindesk", "decrypt"}


def test_when_all_feeds_are_down_the_load_says_so(opened, ingestion, sandbox, reach):
    for host in HOSTS.values():
        sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host=host))

    with pytest.raises(SourceError, match="refused"):
        news.load_headlines(ingestion, opened, reach())


def test_tone_lands_as_measured(opened, ingestion, market, reach):
    news.load_tone(ingestion, opened, reach(partition="year"))

    landed = ingestion.store.newest(TONE_DAILY)
    coverage, last = Coverage(market), (SUNDAY - FIRST_DAY).days
    subjects = landed["query"].unique().to_list()
    for subject in subjects:
        tone, articles, read = coverage.measured(subject, last)
        rows = landed.filter(pl.col("query") == subject).sort("market_date")
        assert rows["articles"].to_list() == articles.tolist()
        assert rows["tone"].to_list() == [
            round(t, 4) if n else None for t, n in zip(tone.tolist(), articles, strict=True)
        ]
        assert rows["article_share"].to_list() == pytest.approx((articles / read).tolist())
    assert set(news.SUBJECTS) < set(subjects)
    assert len(subjects) <= len(news.SUBJECTS) + news.MOST_OTHER_SUBJECTS


def test_a_day_without_articles_has_no_tone_but_a_count_of_none(opened, ingestion, sandbox, reach):
    news.load_tone(ingestion, opened, reach(partition="year"))

    quiet = ingestion.store.newest(TONE_DAILY).filter(pl.col("articles") == 0)
    assert quiet["tone"].null_count() == quiet.height


def test_a_daily_run_asks_the_constant_subjects_and_a_few_others(opened, ingestion, sandbox, reach):
    news.load_tone(ingestion, opened, reach(partition="year"))
    first = len(sandbox.requests)
    sandbox.requests.clear()

    news.load_tone(ingestion, opened, reach(SUNDAY + timedelta(days=1)))

    subjects = {request.query["query"] for request in sandbox.requests}
    assert first <= 2 * (3 + news.MOST_OTHER_SUBJECTS)
    assert len(sandbox.requests) == 2 * len(subjects) == 10
    assert {f'"{name}" sourcelang:english' for name in news.SUBJECTS} < subjects


def test_where_the_whole_span_is_refused_the_last_months_are_asked(opened, ingestion, sandbox, reach, monkeypatch):
    asked = []
    whole = news.fetch_tone

    def only_recent(http, subject, *, start, **more):
        asked.append(start)
        if start < SUNDAY - timedelta(days=90):
            raise news.RequestRejectedError("gdelt: the query is refused: Invalid query start date.", status=200)
        return whole(http, subject, start=start, **more)

    monkeypatch.setattr(news, "fetch_tone", only_recent)

    (result,) = news.load_tone(ingestion, opened, reach(partition="year"))

    assert set(asked) == {FIRST_DAY, SUNDAY - timedelta(days=news.RECENT_DAYS)}
    assert result.failures == {}
    assert ingestion.store.newest(TONE_DAILY)["market_date"].min() == SUNDAY - timedelta(days=news.RECENT_DAYS)


def test_a_ban_stops_the_step_with_what_landed(opened, ingestion, sandbox, reach, monkeypatch):
    monkeypatch.setattr(batches, "MOST_A_BATCH", 2)
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="api.gdeltproject.org", skip_first=6))

    (result,) = news.load_tone(ingestion, opened, reach(partition="year"))

    assert ingestion.store.newest(TONE_DAILY)["query"].n_unique() == 3
    assert OTHERS in result.failures


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Dogecoin", True),
        ("Shiba Inu", True),
        ("NEAR Protocol", True),
        ("Near", False),
        ("Tron", False),
        ("USD Coin", False),
        ("Lido Staked Ether", False),
        ("0x", False),
        ("POL (ex-MATIC)", False),
        ("Artificial Superintelligence Alliance", False),
    ],
)
def test_only_names_that_mean_the_token_are_searched_for(name, is_one):
    assert news.is_subject(name) is is_one
