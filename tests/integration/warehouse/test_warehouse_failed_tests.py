"""A dbt test that fails on bad data: the UI shows which rows broke it, and the step fails all the same."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.dbt_checks import read_run_results
from orchestration.lib.resources import RebuiltDays
from orchestration.lib.warehouse import connect

WEEK = date(2024, 1, 1)
TABLE, TEST = "fct_universe_daily", "rows_hold_fct_universe_daily"


@dataclass
class Context:
    """Of a step, what the events of dbt need."""

    logged: list = field(default_factory=list)

    def log_event(self, event):
        self.logged.append(event)


@dataclass(frozen=True)
class OnDisk:
    """The warehouse resource on a scratch folder."""

    folder: DataFolder
    settings: SimpleNamespace

    @contextmanager
    def connect(self, *, read_only=False):
        with connect(self.folder.warehouse, read_only=read_only) as connection:
            yield connection


@pytest.fixture(scope="module")
def failed(new_warehouse, empty):
    """A universe with a liquid token that is not in the broad universe, and what dbt's test says of it."""
    warehouse = empty[0].copy_to(new_warehouse())
    folder = DataFolder(warehouse.root)
    with connect(folder.warehouse) as connection:
        columns = [row[0] for row in connection.execute(f"describe marts.{TABLE}").fetchall()]
        row = {
            "token_id": "badcoin",
            "market_date": WEEK,
            "price_usd": 1.0,
            "age_days": 3,
            "token_class": "independent",
            "is_liquid": True,
        }
        flags = {name: row.get(name, False) for name in columns if name.startswith("is_")}
        values = {**row, **flags, "exclusion_reason": "too young"}
        names = [name for name in columns if name in values]
        connection.execute(
            f"insert into marts.{TABLE} ({', '.join(names)}) values ({', '.join('?' * len(names))})",
            [values[name] for name in names],
        )
    done = warehouse.call_dbt("test", "--select", TEST, week=WEEK, rebuilt=RebuiltDays(WEEK))
    assert done.code == 1, done.printed
    return OnDisk(folder, SimpleNamespace(source="simulated")), read_run_results(warehouse.dbt.target)


@pytest.fixture(scope="module")
def events(failed):
    """What the step of dbt tells Dagster, and how it ends."""
    from orchestration.defs.warehouse.assets import DbtRun, shown_events

    warehouse, results = failed
    (unique_id,) = (name for name in results if name.startswith("test."))
    check = dg.AssetCheckResult(
        passed=False,
        asset_key=dg.AssetKey(["marts", TABLE]),
        check_name=TEST,
        metadata={"unique_id": unique_id, "status": "fail", "dagster_dbt/failed_row_count": 1},
    )
    error = DagsterDbtCliRuntimeError("dbt failed")
    told = []
    with pytest.raises(DagsterDbtCliRuntimeError):
        told.extend(shown_events(Context(), warehouse, DbtRun([check], results, error), as_of_week=date(2025, 1, 6)))
    return told


def test_the_check_is_told_before_the_step_fails(events):
    assert [(event.check_name, event.passed) for event in events] == [(TEST, False)]


def test_the_check_shows_the_rows_that_broke_it_and_which_condition(events):
    (check,) = events

    table = check.metadata["offending rows"].value
    sample = check.metadata["sample"].value

    assert "badcoin" in table
    assert [(row["broken_condition"], row["token_id"]) for row in sample] == [("is_broad or not is_liquid", "badcoin")]
    assert json.dumps(sample)


def test_the_check_says_what_it_holds_and_how_many_rows_it_judged(events):
    (check,) = events

    assert check.metadata["holds"].value.startswith("rows hold: conditions is_broad or not is_liquid")
    assert check.metadata["severity"].value == "error"
    assert check.metadata["rows"].value == 1
