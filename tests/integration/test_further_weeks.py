"""Running again, and moving on by a week: only what is new is asked for, landed and recorded."""

from datetime import date

import duckdb
import polars as pl
import pytest

WEEK, NEXT_WEEK = date(2025, 1, 6), date(2025, 1, 13)
REREAD_DAYS = 3
JUDGED = {
    "learning.model_evaluation": date(2024, 12, 23),
    "learning.call_outcomes": date(2024, 12, 23),
    "learning.investor_evaluation": date(2024, 10, 14),
}
"""Tables of what came of a week, with the week whose horizon (14 or 90 days) and day of lag have ended by the next week and not before."""


def landed_rows(folder):
    """Rows by load: source, dataset, partition, file and its first and last market_date, for dated datasets."""
    return duckdb.sql(
        f"""
        select parse_path(filename)[-4] as source, parse_path(filename)[-3] as dataset, parse_path(filename)[-2] as partition,
            parse_filename(filename) as file, count(*) as rows, min(market_date) as first, max(market_date) as last
        from read_parquet('{folder}/landing/*/*/*/*.parquet', union_by_name = true, filename = true)
        group by filename
        """
    ).pl()


@pytest.mark.slow
def test_a_second_run_of_the_same_week_adds_nothing(own, tree):
    """A drill: the run of corrections is one of the same week too and lands nothing, and the tests of publishing
    hold that what did not change is not published."""
    ledger, landing, published = own.ledger(), tree(own.folder / "landing"), tree(own.folder / "published")

    finished = own.run()

    assert f"Week {WEEK}" in finished.out
    assert own.ledger().equals(ledger)
    assert tree(own.folder / "landing") == landing
    assert tree(own.folder / "published") == published


@pytest.fixture(scope="module")
def moved(first, next_week):
    """Ledger of the first run, ledger after the next week, and what landed between."""
    before, after = first.ledger(), next_week.tidemark.ledger()
    loads = landed_rows(next_week.tidemark.folder).join(landed_rows(first.folder), on="file", how="anti")
    return before, after, loads


def test_the_next_week_leaves_every_recorded_version_as_it_was(moved):
    before, after, _ = moved
    signed = [column for column in before.columns if column != "superseded_at"]

    kept = after.join(before.select("table_name", "unit", "version"), on=["table_name", "unit", "version"])

    assert kept.select(signed).equals(before.select(signed))


def test_the_next_week_appends_itself_and_honest_corrections_only(moved):
    before, after, loads = moved
    late = loads.filter((pl.col("first") < WEEK) & (pl.col("dataset") != "markets"))
    added = after.join(before, on=["table_name", "unit", "version"], how="anti")

    new = added.filter(pl.col("version") == 1)
    corrected = added.filter(pl.col("version") > 1)

    judged = pl.col("table_name").is_in(list(JUDGED))
    assert new.filter(~judged)["as_of_week"].unique().to_list() == [NEXT_WEEK]
    assert sorted(new.filter(judged).select("table_name", "as_of_week").rows()) == sorted(JUDGED.items())
    assert set(new["version_reason"]) == {"scheduled"}
    assert set(corrected["version_reason"]) <= {"correction"}
    assert late.height > 0 or corrected.is_empty()
    assert {"learning.trader_grades", "learning.trading_signals", "learning.bull_bear", "screens.moonshots"} <= set(
        new["table_name"]
    )


def test_the_next_week_asks_for_new_days_only(moved):
    _, _, loads = moved
    oldest = date(2025, 1, 6 - REREAD_DAYS)

    # A repository or a pool that is read for the first time brings its past; what was followed before does not.
    daily = ["market_daily", "candles_daily", "markets", "tickers"]
    dated = loads.filter(pl.col("first").is_not_null(), pl.col("dataset").is_in(daily))

    assert set(dated["dataset"]) == set(daily)
    assert dated["first"].min() >= oldest
    assert dated["last"].max() == date(2025, 1, 12)
    assert (dated["partition"] == dated["first"].dt.to_string()).all()
    assert (dated["first"] == dated["last"]).all()


def test_the_next_week_is_published_behind_the_first_in_the_chain(first, next_week):
    (only,) = first.manifests()
    before, after = next_week.tidemark.manifests()

    assert before == only
    assert after["sequence"] == 2
    assert after["as_of_week"] == str(NEXT_WEEK)
    assert after["previous_manifest_sha256"] is not None
    assert next_week.tidemark.query("select max(as_of_week) from api.trader_grades").item() == NEXT_WEEK


def test_the_model_of_the_quarter_serves_the_next_week(first, next_week):
    def models(tidemark):
        return sorted(path.name for path in (tidemark.folder / "models" / "trader").iterdir())

    used = next_week.tidemark.query("select distinct model_version from api.trader_grades where as_of_week >= ?", WEEK)[
        "model_version"
    ].to_list()

    assert models(next_week.tidemark) == models(first)
    assert len(used) == 1
    assert used[0].startswith("trader-2025-01-06-")


def test_levels_go_on_where_they_were(first, next_week):
    then = first.query(
        "select index_id, date, level from api.index_levels where date < ? order by all", date(2024, 12, 1)
    )
    now = next_week.tidemark.query(
        "select index_id, date, level from api.index_levels where date < ? order by all", date(2024, 12, 1)
    )
    newest = next_week.tidemark.query("select index_id, max(date) as date from api.index_levels group by all")

    assert now.equals(then)
    assert set(newest["date"]) == {date(2025, 1, 12)}


def test_an_earlier_week_asked_for_again_changes_nothing_and_is_shown(next_week, tree):
    before = tree(next_week.tidemark.folder)

    finished = next_week.tidemark.call("run", TIDEMARK_AS_OF="2024-12-30")

    assert finished.code == 0, finished.said
    assert "is built up to 2025-01-13, so week 2024-12-30 changes nothing" in finished.out
    assert "Week 2024-12-30 (simulated data)" in finished.out
    assert tree(next_week.tidemark.folder) == before
