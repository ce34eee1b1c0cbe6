"""What the schedules and the catch-up start, evaluated as the daemon does, at instants of the simulated market's calendar."""

import tempfile
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from orchestration.defs.automation import catch_up, jobs
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import WEEK_TAG
from orchestration.lib.run_lock import RunLock
from orchestration.lib.serve_lock import SERVING

pytestmark = pytest.mark.filterwarnings(
    "ignore:Parameter `partitions_def`:DeprecationWarning"
)  # said once a process, where jobs are made

MONDAY = datetime(2025, 3, 3, 1, 15, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder since February."""
    made = DataFolder(tmp_path / "data")
    monkeypatch.setenv("TIDEMARK_DATA_DIR", str(made.root))
    monkeypatch.setenv("TIDEMARK_SOURCE", "simulated")
    made.claim("simulated", start_date=date(2025, 2, 23))
    return made


@pytest.fixture
def clock(monkeypatch):
    """Sets the instant that schedules are looked at."""

    def stand_at(instant):
        monkeypatch.setattr(jobs, "utc_now", lambda: instant)
        monkeypatch.setattr(catch_up, "utc_now", lambda: instant)

    return stand_at


def schedule(name):
    return next(each for each in jobs.defs().schedules if each.name == name)


@contextmanager
def recorded():
    """Dagster's records in a folder of their own; a schedule is refused those in memory."""
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        yield instance


def ticked(name, at):
    """What a schedule says to a tick: the tags of the run it starts, or why it starts none."""
    with recorded() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at)
        tick = schedule(name).evaluate_tick(context)
    return dict(tick.run_requests[0].tags) if tick.run_requests else tick.skip_message


def looked(*runs):
    """What the catch-up starts or says, beside runs that Dagster knows."""
    (sensor,) = catch_up.defs().sensors
    with recorded() as instance:
        for run in runs:
            instance.add_run(run)
        tick = sensor.evaluate_tick(dg.build_sensor_context(instance))
    return tick.run_requests[0] if tick.run_requests else tick.skip_message


def started(status, **tags):
    return dg.DagsterRun(job_name="weekly", status=status, tags={WEEK_TAG: "2025-03-03", **tags})


def test_the_week_is_started_on_time_for_all_days_since_the_folder_began(folder, clock):
    clock(MONDAY + timedelta(seconds=40))

    tags = ticked("weekly_schedule", MONDAY)

    assert tags[WEEK_TAG] == "2025-03-03"
    assert tags["dagster/asset_partition_range_start"] == "2025-02-23"
    assert tags["dagster/asset_partition_range_end"] == "2025-03-02"


def test_a_missed_tick_starts_nothing_and_the_catch_up_starts_the_newest_week_once(folder, clock):
    clock(MONDAY + timedelta(days=30, hours=8))

    assert "weekly_catch_up" in ticked("weekly_schedule", MONDAY)
    request = looked()
    assert (request.tags[WEEK_TAG], request.tags["dagster/asset_partition_range_end"]) == ("2025-03-31", "2025-03-30")


def test_the_catch_up_leaves_the_week_to_the_schedule_while_it_is_on_time(folder, clock):
    clock(MONDAY + timedelta(seconds=20))

    assert "the schedule starts its run" in looked()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (dg.DagsterRunStatus.STARTED, "a run is under way"),
        (dg.DagsterRunStatus.CANCELED, "cancelled by hand"),
    ],
)
def test_the_catch_up_starts_nothing_beside_a_run_or_after_one_that_was_cancelled(folder, clock, status, says):
    clock(MONDAY + timedelta(hours=8))

    assert says in looked(started(status))


def test_the_catch_up_repeats_a_run_that_went_down_with_the_service(folder, clock):
    clock(MONDAY + timedelta(hours=8))

    request = looked(started(dg.DagsterRunStatus.CANCELED, **{catch_up.STOPPED_TAG: "tidemark serve"}))

    assert request.run_key == "weekly-2025-03-03-2"


def test_a_day_lands_with_those_that_were_missed_and_a_tick_of_the_past_starts_nothing(folder, clock):
    wednesday = datetime(2025, 3, 5, 0, 45, tzinfo=UTC)
    clock(wednesday + timedelta(hours=3))

    assert ticked("ingest_daily_schedule", wednesday)["dagster/asset_partition_range_end"] == "2025-03-04"
    assert "a later run lands this day too" in ticked("ingest_daily_schedule", wednesday - timedelta(days=1))


def test_nothing_is_scheduled_beside_a_run_by_hand(folder, clock):
    clock(MONDAY + timedelta(seconds=40))

    with RunLock(folder.root, command="make run"):
        assert "a run is under way" in ticked("weekly_schedule", MONDAY)


def test_after_the_simulated_market_nothing_moves(folder, clock):
    late = datetime(2031, 5, 5, 1, 15, tzinfo=UTC)
    clock(late)

    assert "do not move with the calendar" in ticked("weekly_schedule", late)


@pytest.mark.parametrize("is_serving", [True, False])
def test_schedules_are_on_by_themselves_only_in_a_service(folder, monkeypatch, is_serving):
    monkeypatch.setenv(SERVING, "1" if is_serving else "")

    on = [each.default_status.value == "RUNNING" for each in (*jobs.defs().schedules, *catch_up.defs().sensors)]

    assert on == [is_serving] * 3
