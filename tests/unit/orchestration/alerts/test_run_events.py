from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from orchestration.alerts.run_events import WEEKLY_RUN_AFTER, failed_runs, late_week
from orchestration.defs.automation.jobs import defs as jobs
from orchestration.lib.data_folder import DataFolder

MONDAY = datetime(2025, 1, 6, tzinfo=UTC)


@dg.asset_check(asset="prices", blocking=True)
def prices_are_there():
    return dg.AssetCheckResult(passed=False, metadata={"holds": "some prices", "message": "none of 7 sources"})


@dg.asset_check(asset="prices")
def prices_are_many():
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@dg.asset
def prices():
    return None


@dg.asset(deps=[prices])
def broken():
    raise RuntimeError("no answer from https://user:canary-5e0c2b71@provider.example")


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance, *assets):
    return dg.materialize(list(assets), instance=instance, raise_on_error=False).run_id


def found(instance, *, known=(), now=None):
    return list(
        failed_runs(instance, now=now or datetime.now(UTC), is_known=known.__contains__, secrets=["canary-5e0c2b71"])
    )


def test_a_failed_run_is_told_with_its_step_and_cause_and_no_secret(instance):
    run_id = run(instance, prices, broken)

    (event,) = found(instance)

    assert event.kind == "failed_runs"
    assert event.key == f"failed_runs|{run_id}"
    assert event.facts["step"] == "broken"
    assert "no answer from" in event.facts["error"]
    assert "canary" not in event.facts["error"]
    assert "://" not in event.facts["error"]


def test_the_check_that_stopped_a_run_is_told_and_warnings_are_not(instance):
    run(instance, prices, broken, prices_are_there, prices_are_many)

    failed, blocked = found(instance)

    assert failed.kind == "failed_runs"
    assert blocked.kind == "blocked_checks"
    assert blocked.facts["check_name"] == "prices_are_there"
    assert blocked.facts["detail"] == "some prices; none of 7 sources"


def test_runs_that_went_well_are_known_or_are_old_are_not_told(instance):
    run(instance, prices)
    run_id = run(instance, prices, broken)

    assert found(instance, known=[f"failed_runs|{run_id}"]) == []
    assert found(instance, now=datetime.now(UTC) + timedelta(days=8)) == []


@pytest.fixture
def folder(tmp_path):
    folder = DataFolder(tmp_path)
    folder.claim("real", start_date=date(2024, 1, 1))
    content = folder.marker.read_text().replace(str(datetime.now(UTC).year), "2024")
    folder.marker.write_text(content)
    return folder


@pytest.mark.parametrize(
    ("hours", "published", "week"),
    [
        (7.0, date(2024, 12, 30), None),
        (7.3, date(2024, 12, 30), "2025-01-06"),
        (7.3, date(2025, 1, 6), None),
        (7.3, None, "2025-01-06"),
        (24 * 6.9, date(2024, 12, 30), "2025-01-06"),
        (0.0, date(2024, 12, 23), "2024-12-30"),
    ],
)
def test_a_week_is_late_six_hours_after_the_time_of_its_run(folder, hours, published, week):
    event = late_week(folder, published, now=MONDAY + timedelta(hours=hours), after_hours=6)

    assert (event.facts["week"] if event else None) == week


def test_a_folder_owes_nothing_for_weeks_before_it_was_made(tmp_path):
    folder = DataFolder(tmp_path)
    folder.claim("real", start_date=date(2024, 1, 1))
    made = datetime.now(UTC)

    assert late_week(folder, None, now=made + timedelta(hours=1), after_hours=6) is None
    assert late_week(folder, None, now=made + timedelta(days=8), after_hours=6) is not None


@pytest.mark.filterwarnings("ignore:Parameter `partitions_def`")  # of the job beside the schedule
def test_the_time_of_the_weekly_run_is_that_of_its_schedule():
    schedule = next(each for each in jobs().schedules if each.name == "weekly_schedule")

    minutes = int(WEEKLY_RUN_AFTER.total_seconds()) // 60
    assert schedule.cron_schedule == f"{minutes % 60} {minutes // 60} * * 1"
    assert schedule.execution_timezone == "UTC"
