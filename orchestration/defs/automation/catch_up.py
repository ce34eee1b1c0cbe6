"""The weekly run that was missed, failed or was stopped: started (again) by a sensor that looks whether the due week is published.

One run is enough, whatever was missed: `weekly` lands all days since the last one and fills all missing weeks.

Belongs here: looking and starting. Does not: the decision (`lib/due_weeks.py`), the regular start (`jobs.py`).
"""

from datetime import UTC, date, datetime

import dagster as dg
from dagster import RunsFilter

from orchestration.defs.automation.jobs import is_busy, utc_now, weekly_request
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.due_weeks import STOPPED_TAG, WEEK_TAG, Attempt, decide, due_week, is_turn_of_schedule
from orchestration.lib.manifest import published_week
from orchestration.lib.serve_lock import is_serving
from orchestration.settings import load_settings

SECONDS_BETWEEN = 180
"""A look costs some 20 ms and a row of Dagster's records, which are dropped after a week."""


def attempts_of(instance: dg.DagsterInstance, week: date) -> list[Attempt]:
    """Runs that were started for a week by the schedule or the catch-up, newest first."""
    return [
        Attempt(
            status=record.dagster_run.status.value,
            ended_at=datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None,
            is_stopped=STOPPED_TAG in record.dagster_run.tags,
        )
        for record in instance.get_run_records(RunsFilter(tags={WEEK_TAG: week.isoformat()}))
    ]


@dg.definitions
def defs() -> dg.Definitions:
    """The sensor, on by itself under `make serve`."""

    @dg.sensor(
        name="weekly_catch_up",
        job_name="weekly",
        minimum_interval_seconds=SECONDS_BETWEEN,
        default_status=dg.DefaultSensorStatus.RUNNING if is_serving() else dg.DefaultSensorStatus.STOPPED,
        description=(
            "Starts the run of the newest due week when the schedule could not (the machine was off, another run was under way) or when "
            "the run failed: after 15 minutes, then after twice as long each time, up to 6 hours."
        ),
    )
    def weekly_catch_up(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """The tick says why it started nothing."""
        settings, now, instance = load_settings(), utc_now(), context.instance
        week = due_week(settings, now=now)
        if is_turn_of_schedule(settings, week, now=now):
            return dg.SkipReason(f"week {week} has just become due; the schedule starts its run")
        attempts = attempts_of(instance, week)
        decision = decide(
            week,
            published=published_week(DataFolder(settings.folder).published),
            attempts=attempts,
            is_busy=is_busy(instance, settings),
            now=now,
        )
        if not decision.is_start:
            return dg.SkipReason(decision.reason)
        context.log.info(decision.reason)
        return weekly_request(instance, settings, week, run_key=f"weekly-{week}-{len(attempts) + 1}")

    return dg.Definitions(sensors=[weekly_catch_up])
