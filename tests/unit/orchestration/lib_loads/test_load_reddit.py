"""Reddit through its load: present only with a key, landing the communities as they were."""

from datetime import date

import polars as pl
import pytest

from orchestration.lib.connections import Connections
from orchestration.lib.loads import reddit, steps_of
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.news import community
from orchestration.settings import Settings
from orchestration.sources.errors import SourceError
from orchestration.sources.reddit import POSTS, SUBREDDITS

SUNDAY = date(2025, 1, 5)


def test_the_step_is_absent_without_a_key(opened):
    without = [step.name for step in steps_of(Settings())]

    assert "reddit_subreddits" not in without
    assert "reddit_subreddits" in [step.name for step in steps_of(opened.settings)]


def test_communities_land_as_they_were(opened, ingestion, market, reach):
    span = reach()

    result, posted = reddit.load_subreddits(ingestion, opened, span)

    landed = ingestion.store.newest(SUBREDDITS)
    index_of = {token.coin_id: index for index, token in enumerate(market.members)}
    for row in landed.iter_rows(named=True):
        truth = community(market, index_of[row["coin_id"]], span.now)
        recent = [each for each in truth.posts if (span.now - each[0]).total_seconds() < 86_400]
        assert (row["subscribers"], row["active_users"]) == (truth.subscribers, truth.active)
        assert row["posts_24h"] == len(recent)
        assert row["score_24h"] == sum(score for _, score, _ in recent)
        assert row["comments_24h"] == sum(comments for _, _, comments in recent)
    assert landed.height == result.landed == reddit.MOST_SUBREDDITS
    titles = ingestion.store.newest(POSTS)
    assert titles.height == posted.landed > 100
    assert (titles["posted_at"] <= span.now).all()
    assert titles["title"].str.len_chars().min() > 5
    assert set(landed["market_date"]) == {SUNDAY}


def test_a_second_run_of_the_day_asks_nothing(opened, ingestion, sandbox, reach):
    reddit.load_subreddits(ingestion, opened, reach())
    sandbox.requests.clear()

    reddit.load_subreddits(ingestion, opened, reach())

    assert sandbox.requests == []


def test_a_community_that_is_gone_leaves_the_others(opened, ingestion, sandbox, reach, monkeypatch):
    monkeypatch.setattr(reddit, "_simulated", lambda store: {"nosuch": "x", "bitcoin": "bitcoin"})

    result, _ = reddit.load_subreddits(ingestion, opened, reach())

    assert list(result.failures) == ["nosuch"]
    assert result.landed == 1


def test_a_source_that_is_down_raises(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="oauth.reddit.com"))

    with pytest.raises(SourceError, match="refused"):
        reddit.load_subreddits(ingestion, opened, reach())


def test_a_key_without_its_secret_says_what_to_set(opened: Connections, ingestion, sandbox, reach, monkeypatch):
    half = opened.provider("reddit").model_copy(update={"api_secret": None})
    monkeypatch.setattr(type(opened), "provider", lambda self, name: half)

    with pytest.raises(SourceError, match="TIDEMARK_REDDIT__API_SECRET"):
        reddit.load_subreddits(ingestion, opened, reach())


def test_keys_appear_in_nothing_that_is_written(opened, ingestion, sandbox, reach):
    reddit.load_subreddits(ingestion, opened, reach())

    written = [path for path in ingestion.store.root.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if b"canary" in path.read_bytes()] == []


def test_curated_communities_are_distinct_and_in_lower_case():
    curated = reddit.read_curated()

    assert len(curated) > 30
    assert pl.Series(list(curated)).str.contains(r"^[a-z0-9_]+$").all()
    assert curated["bitcoin"] == "bitcoin"
