"""Suites of developers, macro and news: good loads pass, broken ones do not."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from orchestration.lib.expectations import run_suite
from orchestration.lib.suites_developers import DEVELOPER_SUITES
from orchestration.lib.suites_landing import LANDING_SUITES
from orchestration.lib.suites_macro import MACRO_SUITES
from orchestration.lib.suites_news import NEWS_SUITES

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
SUNDAY, SATURDAY, THURSDAY = date(2025, 1, 5), date(2025, 1, 4), date(2025, 1, 2)
SUITES = {**DEVELOPER_SUITES, **MACRO_SUITES, **NEWS_SUITES}


def landed(**columns: list) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    always = {"source": "x", "data_source": "live", "available_at": AS_OF, "loaded_at": AS_OF, "load_id": "load-1"}
    numbers = dict.fromkeys(("stars", "authors", "tone", "articles", "article_share", "active_users"), pl.Float64)
    return pl.DataFrame(
        columns | {name: [value] * count for name, value in always.items()},
        schema_overrides={name: dtype for name, dtype in numbers.items() if name in columns},
    )


GOOD = {
    "github/repositories": landed(
        repository=["bitcoin/bitcoin", "a-b/c.d_e"],
        market_date=[SUNDAY] * 2,
        stars=[80_000.0, None],
        forks=[36_000, None],
        watchers=[4_000, None],
        open_issues=[700, None],
        is_gone=[False, True],
    ),
    "github/commits_weekly": landed(
        feed=["github"], repository=["bitcoin/bitcoin"], market_date=[SATURDAY], commits=[61], authors=[None]
    ),
    "fred/series_daily": landed(feed=["fred"], series_id=["T10Y2Y"], market_date=[THURSDAY], value=[-0.31]),
    "fred/series_weekly": landed(feed=["fred"], series_id=["WALCL"], market_date=[date(2025, 1, 1)], value=[6_852_000.0]),
    "fred/series_monthly": landed(feed=["fred"], series_id=["M2SL"], market_date=[date(2024, 11, 30)], value=[21_441.8]),
    "rss/headlines": landed(
        feed=["coindesk"],
        article_id=["1"],
        market_date=[SUNDAY],
        published_at=[AS_OF],
        title=["News"],
        url=["https://a.example/1"],
    ),
    "gdelt/tone_daily": landed(
        query=["bitcoin", "obscure"],
        market_date=[SATURDAY] * 2,
        tone=[-1.2, None],
        articles=[900.0, 0.0],
        article_share=[0.008, 0.0],
    ),
    "reddit/posts": landed(
        subreddit=["bitcoin"],
        post_id=["abc"],
        market_date=[SUNDAY],
        posted_at=[datetime(SUNDAY.year, SUNDAY.month, SUNDAY.day, 9, tzinfo=UTC)],
        title=["A post"],
    ),
    "reddit/subreddits": landed(
        subreddit=["bitcoin"],
        market_date=[SUNDAY],
        subscribers=[7_000_000],
        active_users=[None],
        posts_24h=[100],
        comments_24h=[4_000],
    ),
}  # fmt: skip


def failures(name: str, frame: pl.DataFrame) -> list[tuple[str | None, str]]:
    result = run_suite(frame, LANDING_SUITES[name](as_of=AS_OF), name=name)
    return [(failure.column, failure.severity) for failure in result.failures]


@pytest.mark.parametrize("name", SUITES)
def test_good_loads_pass(name):
    assert failures(name, GOOD[name]) == []


@pytest.mark.parametrize("name", SUITES)
def test_old_news_are_a_warning(name):
    old = GOOD[name].with_columns(market_date=pl.lit(date(2024, 10, 1)))

    assert ("market_date", "warning") in failures(name, old)


@pytest.mark.parametrize(
    ("name", "change", "column", "severity"),
    [
        ("github/repositories", {"repository": pl.lit("no-slash")}, "repository", "critical"),
        ("github/repositories", {"stars": pl.lit(-1.0)}, "stars", "critical"),
        ("github/repositories", {"stars": pl.lit(None, pl.Float64)}, "stars", "warning"),
        ("github/commits_weekly", {"commits": pl.lit(-1)}, "commits", "critical"),
        ("github/commits_weekly", {"commits": pl.lit(90_000)}, "commits", "warning"),
        ("fred/series_daily", {"value": pl.lit("4.2")}, "value", "critical"),
        ("fred/series_weekly", {"value": pl.lit(1e12)}, "value", "critical"),
        ("fred/series_monthly", {"series_id": pl.lit("<html>")}, "series_id", "critical"),
        ("rss/headlines", {"title": pl.lit("")}, "title", "critical"),
        ("rss/headlines", {"url": pl.lit("javascript:alert(1)")}, "url", "warning"),
        ("gdelt/tone_daily", {"tone": pl.lit(500.0)}, "tone", "critical"),
        ("gdelt/tone_daily", {"tone": pl.lit(-60.0)}, "tone", "warning"),
        ("gdelt/tone_daily", {"article_share": pl.lit(1.5)}, "article_share", "critical"),
        ("reddit/subreddits", {"posts_24h": pl.lit(101)}, "posts_24h", "critical"),
        ("reddit/posts", {"title": pl.lit("")}, "title", "critical"),
    ],
)
def test_defects_are_found(name, change, column, severity):
    assert (column, severity) in failures(name, GOOD[name].with_columns(**change))
