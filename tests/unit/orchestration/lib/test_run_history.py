"""Runs leave a structured log without secrets, and their steps and rows in the warehouse, whether they end well or not."""

import json
import os
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import duckdb
import pytest

from orchestration.lib.resources import RunLease
from orchestration.lib.run_context import BUILDS
from orchestration.lib.run_history import create_run_history, record_history, steps_beside_their_past, unlike_its_past
from orchestration.lib.structured_log import LOGS_FOLDER, LONGEST_MESSAGE, path_of, prune
from orchestration.lib.weeks import WeekError

SECRET = "CG-canary-5fd1"  # noqa: S105 - a canary
MONDAY = date(2026, 11, 2)

# Dagster asks pydantic for the fields of a resource by their old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*__fields__:DeprecationWarning")


@dg.asset(key=["marts", "prices"])
def prices(context: dg.AssetExecutionContext, lease: RunLease) -> dg.MaterializeResult:
    """Lands something, and says more than it should."""
    context.log.info(f"GET https://api.example/v3?x_cg_demo_api_key=other&day=1 with {SECRET}")
    context.log.info("long " * LONGEST_MESSAGE)
    return dg.MaterializeResult(metadata={"dagster/row_count": 120, "rows_written": 20})


@dg.asset(deps=[prices])
def grades(lease: RunLease) -> None:
    """Fails as a step does whose cause lies deeper."""
    try:
        raise ValueError(f"no week in {SECRET}")
    except ValueError as error:
        raise WeekError(f"no week in {SECRET}") from error


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TIDEMARK_COINGECKO__API_KEY", SECRET)
    root = tmp_path / "data"
    root.mkdir()
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        connection.execute("create schema quality")
        connection.execute(BUILDS)
    return root


@pytest.fixture
def failed(folder):
    """A run of both assets: its folder and id."""
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([prices, grades], instance=instance, resources={"lease": RunLease()}, raise_on_error=False)
    assert not run.success
    return folder, run.run_id


@pytest.fixture
def history():
    """An empty history, to be filled with runs of weeks."""
    with duckdb.connect() as connection:
        connection.execute("create schema quality")
        create_run_history(connection)
        yield connection


def add_week(connection, number, *, seconds=20.0, rows=1000, repeated=0, status="done"):
    began = datetime(2026, 11, 2, 1, tzinfo=UTC) + timedelta(weeks=number, hours=repeated)
    run_id = f"run-{number}-{repeated}"
    connection.execute(
        "insert into quality.run_steps values (?, ?, 'calls', ?, ?, ?, ?, 900.0, null)",
        [run_id, MONDAY + timedelta(weeks=number), began, seconds, status, rows],
    )
    return run_id


def test_every_line_is_json_with_its_step_and_event(failed):
    folder, run_id = failed

    lines = [json.loads(line) for line in path_of(folder, run_id).read_text().splitlines()]

    assert {line["run_id"] for line in lines} == {run_id}
    assert all(set(line) >= {"ts", "level", "run_id", "step", "event", "message"} for line in lines)
    (landed,) = [line for line in lines if line["event"] == "asset_materialization"]
    assert (landed["table"], landed["rows"], landed["rows_added"]) == ("marts.prices", 120, 20)
    (broken,) = [line for line in lines if line["event"] == "step_failure"]
    assert (broken["step"], broken["level"], broken["error"]) == ("grades", "error", "ValueError")
    assert broken["duration_ms"] >= 0
    (done,) = [line for line in lines if line["event"] == "step_success"]
    assert done["memory_mb"] > 10


def test_no_secret_is_in_the_log_and_no_message_is_endless(failed):
    folder, run_id = failed

    text = path_of(folder, run_id).read_text()

    assert SECRET not in text
    assert "x_cg_demo_api_key=***&day=1 with ***" in text
    assert max(len(json.loads(line)["message"]) for line in text.splitlines()) <= LONGEST_MESSAGE


def test_the_log_is_read_by_one_query(failed):
    folder, _ = failed

    rows = duckdb.sql(
        f"select step, event, rows from read_json('{folder}/{LOGS_FOLDER}/*.jsonl', union_by_name = true) where rows is not null"
    ).fetchall()

    assert rows == [("marts__prices", "asset_materialization", 120)]


def test_a_run_that_failed_leaves_its_steps_and_rows(failed):
    folder, run_id = failed

    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        steps = connection.execute(
            "select run_id, as_of_week, step, status, rows_written, error from quality.run_steps order by started_at"
        ).fetchall()
        rows = connection.execute("select table_name, step, table_rows, rows_added from quality.run_rows").fetchall()
        times = connection.execute(
            "select min(seconds), max(seconds), min(peak_memory_mb) from quality.run_steps"
        ).fetchone()

    assert steps == [
        (run_id, None, "marts__prices", "done", 20, None),
        (run_id, None, "grades", "failed", None, "ValueError"),
    ]
    assert rows == [("marts.prices", "marts__prices", 120, 20)]
    assert 0 <= times[0] <= times[1] < 60
    assert times[2] > 10


def test_a_run_that_was_killed_is_caught_up_by_the_next_with_the_step_it_was_in(folder):
    at = "2026-11-30T01:00:00.000Z"
    path = path_of(folder, "killed")
    path.parent.mkdir()
    line = {"ts": at, "level": "info", "run_id": "killed", "step": "calls", "event": "step_start", "message": ""}
    path.write_text(json.dumps(line) + "\n" + '{"ts": "2026-11-30T01:00:05Z", "run_id": "kil')  # torn

    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        own = record_history(connection, folder, "next")
        again = record_history(connection, folder, "next")
        steps = connection.execute("select run_id, step, seconds, status from quality.run_steps").fetchall()

    assert (own, again) == (0, 0)
    assert steps == [("killed", "calls", None, "open")]


def test_written_twice_a_run_has_its_rows_once(failed):
    folder, run_id = failed
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        before = connection.execute("from quality.run_steps order by all").fetchall()

        assert record_history(connection, folder, run_id) == 2

        assert connection.execute("from quality.run_steps order by all").fetchall() == before


def test_only_the_newest_logs_are_kept(tmp_path):

    for number in range(5):
        path = path_of(tmp_path, f"run-{number}")
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}\n")
        os.utime(path, (number, number))

    assert prune(tmp_path, keep=2) == 3
    assert sorted(path.stem for path in (tmp_path / LOGS_FOLDER).iterdir()) == ["run-3", "run-4"]


def test_a_step_that_takes_far_longer_than_in_the_weeks_before_is_found(history):
    for number in range(6):
        add_week(history, number, seconds=500.0 if number == 0 else 20.0 + number)
    run_id = add_week(history, 6, seconds=100.0)

    (found,) = unlike_its_past(history, run_id)

    assert (found.step, found.what, found.now, found.usual, found.runs) == ("calls", "seconds", 100.0, 23.0, 5)
    assert steps_beside_their_past(history, run_id).row(0)[:2] == ("calls", 100.0)


def test_a_step_that_writes_far_fewer_rows_is_found_but_not_where_a_week_is_repeated(history):
    for number in range(6):
        add_week(history, number)
    few = add_week(history, 6, rows=200)
    repeated = add_week(history, 6, rows=0, repeated=3)

    assert [(each.what, each.now, each.usual) for each in unlike_its_past(history, few)] == [
        ("rows_written", 200, 1000.0)
    ]
    assert unlike_its_past(history, repeated) == []


@pytest.mark.parametrize(("seconds", "rows"), [(55.0, 1000), (20.0, 300), (49.0, 1000)])
def test_what_is_within_the_bounds_is_not_told(history, seconds, rows):
    for number in range(6):
        add_week(history, number)

    assert unlike_its_past(history, add_week(history, 6, seconds=seconds, rows=rows)) == []


def test_with_few_earlier_runs_nothing_is_said(history):
    for number in range(4):
        add_week(history, number)

    assert unlike_its_past(history, add_week(history, 4, seconds=9000.0, rows=0)) == []
