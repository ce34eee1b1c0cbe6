"""No look-ahead, for the whole chain: a warehouse that knows less says the same about every week it knows."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from orchestration.lib.data_folder import DataFolder
from orchestration.sources.datasets import DATASETS

REPOSITORY = Path(__file__).resolve().parents[2]
EARLIER = date(2024, 4, 1)
WEEK = timedelta(days=7)

WITH_SECTORS = {"moonshots"}
"""Views that rest on undated reference data: providers drop dead tokens from their categories, a known hindsight."""


def copy_landing(source, target, *, known_at):
    """Copy the landed rows that were known at an instant; undated reference tables count as known since ever."""
    for dataset in DATASETS.values():
        for path in (source / "landing" / dataset.source / dataset.name).glob("*/*.parquet"):
            copied = target / path.relative_to(source)
            condition = f"available_at <= timestamptz '{known_at} 00:00:00+00'" if dataset.is_dated else "true"
            known = f"select * from read_parquet('{path}', hive_partitioning = false) where {condition}"
            if duckdb.sql(f"select count(*) from ({known})").fetchall() != [(0,)]:
                copied.parent.mkdir(parents=True, exist_ok=True)
                duckdb.sql(f"copy ({known}) to '{copied}' (format parquet)")


@pytest.fixture(scope="module")
def truncated(first, new_folder):
    """A warehouse built by the job build_week from the first run's inputs, all later ones dropped."""
    tidemark = new_folder()
    DataFolder(tidemark.folder).claim("simulated", start_date=EARLIER - timedelta(days=1))
    (tidemark.folder / "dagster").mkdir()
    copy_landing(first.folder, tidemark.folder, known_at=EARLIER)
    places = {
        "DAGSTER_HOME": str(REPOSITORY),
        "TIDEMARK_DAGSTER_DIR": str(tidemark.folder / "dagster"),
        "DBT_PROFILES_DIR": str(REPOSITORY / "dbt_project"),
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "job", "execute"),
            *("-m", "orchestration.definitions", "-j", "build_week"),
        ],
        cwd=REPOSITORY,
        env=tidemark.environment(**places, TIDEMARK_AS_OF=EARLIER.isoformat()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return tidemark


@pytest.fixture(scope="module")
def earlier(new_folder):
    """A first run forty weeks before the default week, which asks the providers as they were then."""
    tidemark = new_folder()
    tidemark.run(TIDEMARK_AS_OF=EARLIER.isoformat())
    return tidemark


@pytest.fixture(scope="module")
def moved_on(earlier, new_folder):
    """The same a week later."""
    tidemark = earlier.copy(new_folder().folder)
    tidemark.run(TIDEMARK_AS_OF=(EARLIER + WEEK).isoformat())
    return tidemark


def test_inputs_after_a_week_change_nothing_up_to_it(first, truncated, hold_equal, compared_view):
    hold_equal(first, truncated, view=compared_view, week=EARLIER)


def test_inputs_after_a_week_change_no_model_that_was_in_force(first, truncated):
    sql = "select as_of_week, token_id, model_version from api.trader_grades where as_of_week <= ? order by all"

    assert truncated.query(sql, EARLIER).equals(first.query(sql, EARLIER))


def test_a_truncated_warehouse_has_no_later_week(truncated):
    assert truncated.query("select max(as_of_week) from api.trader_grades").item() == EARLIER
    assert truncated.query("select max(date) from api.daily").item() == date(2024, 3, 31)


@pytest.mark.slow
def test_a_run_at_an_earlier_week_says_the_same_of_the_weeks_before_it(first, earlier, hold_equal, compared_view):
    """A drill: another first run; the tests truncate what the first one landed."""
    if compared_view in WITH_SECTORS:
        pytest.skip("rests on undated sectors, of which the providers knew others then")

    hold_equal(first, earlier, view=compared_view, week=EARLIER - WEEK)


@pytest.mark.slow
def test_the_newest_week_is_the_same_too_once_the_providers_have_revised_its_last_days(
    first, moved_on, hold_equal, compared_view
):
    """A drill: the run after that one."""
    if compared_view in WITH_SECTORS:
        pytest.skip("rests on undated sectors, of which the providers knew others then")

    hold_equal(first, moved_on, view=compared_view, week=EARLIER)


@pytest.mark.slow
def test_only_the_weeks_of_revised_days_get_another_version(earlier, moved_on):
    """A drill: the same two runs; the tests correct one day of one token."""
    key = ["table_name", "unit", "version"]

    added = moved_on.ledger("version > 1").join(earlier.ledger(), on=key, how="anti")

    assert set(added["version_reason"]) == {"correction"}
    # The newest evaluation of an Investor Grade reads the close of the last day, which is the first to be revised.
    long = pl.col("table_name") == "learning.investor_evaluation"
    assert added.filter(~long)["as_of_week"].min() >= EARLIER - WEEK * 3
    assert set(added.filter(long)["as_of_week"]) <= {EARLIER - WEEK * 13}
