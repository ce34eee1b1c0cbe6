"""A source that is down costs its features and not the run; without prices nothing is published."""

from datetime import timedelta

import duckdb
import pytest

from orchestration.sources.datasets.exchanges import EXCHANGES
from tests.conftest import MARK, NEXT_WEEK, WEEK
from tests.integration.leaks import leaks, written_since


def test_the_week_is_published_and_says_which_sources_were_down_and_why(next_week):
    tidemark, finished = next_week.tidemark, next_week.finished

    health = tidemark.query(
        "select source, status, reason from api.source_health where as_of_week = ? and status = 'down' order by 1",
        NEXT_WEEK,
    )

    assert health["source"].to_list() == ["alternative_me", "coinmetrics"]
    assert "HTML" in health["reason"][0]
    assert "503" in health["reason"][1]
    assert "down: alternative_me/fear_greed, coinmetrics/asset_metrics" in finished.out


def test_grades_of_the_week_are_there(next_week):
    graded = next_week.tidemark.query(
        "select count(*) as graded from api.trader_grades where as_of_week = ?", NEXT_WEEK
    )

    assert graded["graded"][0] > 50


def test_features_of_the_source_that_is_down_are_missing_and_coverage_falls(first, next_week):
    on_chain = """select avg(coverage) as coverage, count(active_addresses_growth_30d) as known
        from marts.feat_token_daily where market_date = ? and token_id in
        (select token_id from marts.fct_onchain_daily)"""

    with_all = first.query(on_chain, WEEK - timedelta(days=1))
    without = next_week.tidemark.query(on_chain, NEXT_WEEK - timedelta(days=1))

    assert without["known"][0] < with_all["known"][0]
    assert without["coverage"][0] < with_all["coverage"][0]


@pytest.mark.slow
def test_what_was_missed_comes_with_the_next_run(next_week, new_folder):
    """A drill: another whole run. That days which a load missed come with the next is held in the unit tests of loads."""
    tidemark = next_week.tidemark.copy(new_folder().folder)

    tidemark.run(TIDEMARK_SIMULATION__FAULTS="")

    newest = "select max(market_date) as newest from marts.fct_onchain_daily"
    missed = (tidemark.query(newest)["newest"][0] - next_week.tidemark.query(newest)["newest"][0]).days
    assert missed == 7


def test_a_run_whose_providers_fail_leaves_no_key_behind(first, next_week, canaries):
    """Their answers, the traces of errors and what is told of them are in the records that the run added."""
    tidemark, finished = next_week.tidemark, next_week.finished
    began = (first.folder.parent / "first.out").stat().st_mtime

    assert leaks([path for path in written_since(tidemark.folder, began) if path.suffix != ".duckdb"], MARK) == []
    assert not any(key in finished.said for key in canaries)


@pytest.mark.slow
def test_without_any_prices_nothing_is_published(first, new_folder, canaries):
    """A drill: a run up to the check. How many prices are enough, and that the check blocks what is published, is held in unit tests."""
    # Blocked, which no load tries again: waiting for all of them to come back would take minutes.
    everybody = ",".join(f"{provider}:blocked:1.0" for provider in ("coingecko", *EXCHANGES))
    tidemark = first.copy(new_folder().folder).with_settings(
        TIDEMARK_AS_OF=NEXT_WEEK.isoformat(), TIDEMARK_SIMULATION__FAULTS=everybody
    )
    before = tidemark.manifests()

    finished = tidemark.call("run")

    assert finished.code == 1, finished.said
    assert "prices_are_there" in finished.said
    assert tidemark.manifests() == before
    # A run that ends in a failed check keeps its traces, and none of its keys.
    told = [path for path in tidemark.folder.rglob("*") if path.suffix in (".log", ".db", ".out", ".err", ".jsonl")]
    assert leaks(told, MARK) == []
    assert not any(key in finished.said for key in canaries)
    # The run that failed leaves its checks all the same, in the warehouse that it could write.
    with duckdb.connect(str(tidemark.folder / "warehouse.duckdb"), read_only=True) as connection:
        stopped = connection.execute(
            "select table_name, check_name from quality.check_results where not is_passed and severity = 'error'"
        ).fetchall()
    assert ("quality.source_health", "prices_are_there") in stopped
