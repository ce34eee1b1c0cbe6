"""Facts that arrive corrected: which weeks get a second version, which wait for a rebuild, and that all can be reproduced."""

from datetime import date

import polars as pl
import pytest

from tests.corrected import VERSION_KEY

WEEK = date(2025, 1, 6)
AFFECTED = [date(2024, 12, 23), date(2024, 12, 30), WEEK]


@pytest.fixture(scope="module")
def rebuilt(corrected, new_folder):
    """A copy of it in which the weeks after the old candle were rebuilt, and how the command ended."""
    tidemark = corrected.tidemark.copy(new_folder().folder)
    finished = tidemark.call("rebuild", "--from", "2024-06-10", "--to", "2024-06-24", "--reason", "the feed was wrong")
    return tidemark, finished


def test_a_second_run_of_the_same_week_lands_nothing(corrected):
    assert corrected.landed_after == corrected.landed_before


def test_a_corrected_candle_gives_the_weeks_after_it_a_second_version(corrected):
    grades = corrected.added("learning.trader_grades")

    assert grades["as_of_week"].to_list() == AFFECTED
    assert set(grades["version"]) == {2}
    assert set(grades["version_reason"]) == {"correction"}


def test_no_week_before_a_recent_corrected_candle_gets_a_version_and_an_older_one_waits_for_a_rebuild(corrected):
    new = corrected.after.join(corrected.before, on=VERSION_KEY, how="anti")

    early = new.filter((pl.col("as_of_week") < AFFECTED[0]) & (pl.col("table_name") != "learning.model_evaluation"))

    assert early.is_empty()
    # An evaluation looks ahead: its labels reach 15 days beyond its week.
    evaluated = new.filter(pl.col("table_name") == "learning.model_evaluation")["as_of_week"]
    assert evaluated.is_empty() or evaluated.min() >= date(2024, 12, 9)


def test_version_1_stays_as_it_was_and_says_when_it_was_superseded(first, corrected):
    week, token_id = AFFECTED[0], corrected.token_id
    shown = "token_id, trader_grade, score, model_version, content_hash, recorded_at"
    ordered = "where as_of_week = ? and version = 1 order by token_id"

    then = first.query(f"select {shown} from learning.trader_grades {ordered}", week)
    now = corrected.tidemark.query(f"select {shown} from learning.trader_grades {ordered}", week)
    superseded = corrected.tidemark.query(
        "select distinct version, recorded_at, superseded_at from learning.trader_grades "
        "where as_of_week = ? and token_id = ? order by version",
        *(week, token_id),
    )

    assert now.equals(then)
    assert superseded["version"].to_list() == [1, 2]
    assert superseded["superseded_at"][0] == superseded["recorded_at"][1]
    assert superseded["superseded_at"][1] is None


def test_current_views_show_the_newest_version_and_the_past_can_be_asked_for(first, corrected):
    week = AFFECTED[0]
    scores = "select token_id, score from learning.trader_grades where as_of_week = ? and {} order by token_id"

    current = corrected.tidemark.query(
        "select distinct version from learning.trader_grades_current where as_of_week = ?", week
    )
    shown = corrected.tidemark.query("select distinct version from api.trader_grades where as_of_week = ?", week)
    before = first.ledger("table_name = 'learning.trader_grades'")["recorded_at"].max()
    as_then = corrected.tidemark.query(
        scores.format("recorded_at <= ? and (superseded_at is null or superseded_at > ?)"), *(week, before, before)
    )

    assert current["version"].to_list() == shown["version"].to_list() == [2]
    assert as_then.equals(first.query(scores.format("true"), week))


def test_corrected_weeks_are_scored_by_the_model_recorded_for_them(first, corrected):
    versions = corrected.tidemark.query(
        "select as_of_week, version, any_value(model_version) as model, count(distinct model_version) as models "
        "from learning.trader_grades where as_of_week >= ? group by all order by all",
        AFFECTED[0],
    )
    models = sorted(path.name for path in (first.folder / "models" / "trader").rglob("*.json"))

    by_week = versions.group_by("as_of_week").agg(pl.col("model").n_unique(), pl.col("models").max(), pl.len())

    assert by_week.select("model", "models", "len").unique().rows() == [(1, 1, 2)]
    assert sorted(path.name for path in (corrected.tidemark.folder / "models" / "trader").rglob("*.json")) == models


def test_the_superseded_version_of_a_corrected_week_is_reproduced_bit_for_bit(corrected):
    finished = corrected.tidemark.call(
        *("reproduce", "--week", AFFECTED[0].isoformat(), "--table", "learning.trader_grades", "--version", "1")
    )

    assert finished.code == 0, finished.said
    assert "version 1: " in finished.out
    assert "1 of 1 reproduced bit for bit" in finished.out
    assert not list(corrected.tidemark.folder.glob(".reproduce-*"))


@pytest.mark.slow
def test_both_versions_of_a_corrected_week_are_reproduced_bit_for_bit(corrected):
    """A drill: a build of the warehouse for each version; the tests reproduce the one that is harder, of what is not known so any more."""
    finished = corrected.tidemark.call(
        "reproduce", "--week", AFFECTED[0].isoformat(), "--table", "learning.trader_grades"
    )

    assert finished.code == 0, finished.said
    assert "version 1: " in finished.out
    assert "version 2: " in finished.out
    assert "2 of 2 reproduced bit for bit" in finished.out
    assert not list(corrected.tidemark.folder.glob(".reproduce-*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "week"),
    [
        ("learning.trading_signals", WEEK),
        ("learning.bull_bear", WEEK),
        ("indices.compositions", WEEK),
        ("indices.levels", AFFECTED[0]),
        ("indices.rebalances", date(2025, 1, 6)),
        ("screens.moonshots", WEEK),
        ("screens.token_warnings", WEEK),
        ("screens.warning_coverage", WEEK),
        ("learning.model_evaluation", date(2024, 12, 9)),
        ("learning.investor_evaluation", date(2024, 9, 30)),
        ("learning.model_monitor", WEEK),
        ("learning.confidence", WEEK),
        ("learning.trader_grades", date(2023, 10, 2)),
        ("indices.compositions", date(2022, 2, 7)),
    ],
)
def test_every_kind_of_unit_is_reproduced_bit_for_bit(corrected, table, week):
    """A drill: a build of the warehouse for each; the tests reproduce corrected grades as they were before."""
    finished = corrected.tidemark.call("reproduce", "--week", week.isoformat(), "--table", table)

    assert finished.code == 0, finished.said
    assert "DIFFERENT" not in finished.out


@pytest.mark.slow
def test_a_rebuild_gives_the_weeks_after_an_old_correction_a_version_that_says_why(corrected, rebuilt):
    """A drill: another whole run. Which weeks it computes and under which reason is held by tests of run contexts."""
    tidemark, finished = rebuilt

    added = tidemark.ledger().join(corrected.after, on=VERSION_KEY, how="anti")

    assert finished.code == 0, finished.said
    assert added.height > 0
    assert set(added["version_reason"]) == {"the feed was wrong"}
    # Each unit gets the version after its newest: levels go on to the weeks that have two by the recent correction, and other
    # weights may make an index trade on a day on which it did not.
    newest = corrected.after.group_by("table_name", "unit").agg(pl.col("version").max().alias("newest"))
    numbered = added.join(newest, on=["table_name", "unit"], how="left")
    assert (numbered["version"] == numbered["newest"].fill_null(0) + 1).all()
    # Weeks of long ago had no explanation before: the first filling explains the newest ones.
    first_here = ["learning.grade_explanations", "learning.sub_grades"]
    counted = added.filter(~pl.col("table_name").is_in(["indices.rebalances", "indices.levels", *first_here]))
    assert set(counted["version"]) == {2}
    grades = added.filter(pl.col("table_name") == "learning.trader_grades")["as_of_week"].sort().to_list()
    assert grades == [date(2024, 6, 17), date(2024, 6, 24)]
    current = tidemark.query("select distinct version from api.trader_grades where as_of_week = ?", date(2024, 6, 17))
    assert current["version"].to_list() == [2]
    assert tidemark.manifests()[-1]["sequence"] == len(tidemark.manifests()) >= 2
