"""Jobs and schedules: daily ingestion, the build of a week, and both together every Monday.

The schedules are on by themselves under `make serve`, off under `make dev`. What they miss is caught up with by `catch_up.py`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster import RunsFilter

from orchestration.lib.dead_runs import RUNNING
from orchestration.lib.due_weeks import WEEK_TAG, is_turn_of_schedule, moves_with_calendar
from orchestration.lib.landing_checks import key_of
from orchestration.lib.partitions import days_to_cover, first_ingestion_day, ingestion_days, range_tags
from orchestration.lib.run_lock import RunLock
from orchestration.lib.serve_lock import is_serving
from orchestration.lib.weeks import monday_of
from orchestration.settings import Settings, load_settings
from orchestration.sources.datasets import DATASETS

INGESTION = dg.AssetSelection.groups("ingestion").materializable()
NOT_LIVE = "{source} data do not move with the calendar; run the job by hand (make run AS_OF=...)"
LIVE_ONLY = "Only for live data: on simulated data and archives, which do not move with the calendar, it does nothing."
EVERYTHING = dg.AssetSelection.all().materializable()


@dg.definitions
def defs() -> dg.Definitions:
    """Three jobs, and schedules for the sources that move by themselves."""
    settings = load_settings()
    status = dg.DefaultScheduleStatus.RUNNING if is_serving() else dg.DefaultScheduleStatus.STOPPED
    is_partitioned = settings.source != "archive"
    days = ingestion_days(settings) if is_partitioned else None
    ingest_daily = dg.define_asset_job(
        "ingest_daily",
        INGESTION,
        partitions_def=days,
        description=(
            "Land what the providers say of a day. In the launchpad choose the days as partitions; nothing is built or published."
            if is_partitioned
            else "Land the rows of the archive that are not there yet; nothing is built or published."
        ),
    )
    build_week = dg.define_asset_job(
        "build_week",
        EVERYTHING - INGESTION,
        description=(
            "Build, grade and publish from what has landed. The configuration can stay as it is: then it is the week of AS_OF. "
            "`week.as_of` names another; `week.rebuild_from` scores past weeks again, as new versions."
        ),
    )
    weekly = dg.define_asset_job(
        "weekly",
        EVERYTHING,
        partitions_def=days,
        description=(
            "Land, build, grade and publish: the whole chain up to a week. In the launchpad choose the Sunday before the week as "
            "partition; the configuration can stay as it is."
            if is_partitioned
            else "Import, build, grade and publish: the whole chain up to AS_OF, or `week.as_of` in the launchpad."
        ),
    )

    @dg.schedule(
        job=ingest_daily,
        cron_schedule="45 0 * * 2-7",
        execution_timezone="UTC",
        name="ingest_daily_schedule",
        default_status=status,
        description=f"Lands yesterday, when its close is out everywhere; Monday's part is in `weekly`. {LIVE_ONLY}",
    )
    def every_day(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Tuesday to Sunday 00:45 UTC: the providers show a day's close 10 to 35 minutes after midnight."""
        at, now = scheduled_at(context), utc_now()
        if not moves_with_calendar(settings, now=at):
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
        elif now.date() > at.date():
            yield dg.SkipReason(
                "a later run lands this day too"
            )  # the machine was off; providers serve the days since in one go
        elif is_busy(context.instance, settings):
            yield dg.SkipReason("a run is under way; the next one lands this day too")
        else:
            yesterday = at.date() - timedelta(days=1)
            days = missing_days(context.instance, settings, last=yesterday)
            yield dg.RunRequest(run_key=f"ingest-{yesterday}", tags=range_tags(*days))

    @dg.schedule(
        job=weekly,
        cron_schedule="15 1 * * 1",
        execution_timezone="UTC",
        name="weekly_schedule",
        default_status=status,
        description=f"Lands all days since the last run, then builds, grades and publishes the new week. {LIVE_ONLY}",
    )
    def every_monday(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Monday 01:15 UTC, after Sunday's close has landed: days since the last run, then the week."""
        at, now = scheduled_at(context), utc_now()
        monday = monday_of(at.date())
        if not moves_with_calendar(settings, now=at):
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
        elif not is_turn_of_schedule(settings, monday, now=now):
            yield dg.SkipReason("missed: weekly_catch_up runs the newest week, and with it those before")
        elif is_busy(context.instance, settings):
            yield dg.SkipReason("a run is under way; weekly_catch_up runs the week when it has ended")
        else:
            yield weekly_request(context.instance, settings, monday, run_key=f"weekly-{monday}")

    return dg.Definitions(jobs=[ingest_daily, build_week, weekly], schedules=[every_day, every_monday])


def weekly_request(instance: dg.DagsterInstance, settings: Settings, week: date, *, run_key: str) -> dg.RunRequest:
    """A run of `weekly` for a week: over the days since the last one where days land by themselves, else for the week as such."""
    tags = {WEEK_TAG: week.isoformat()}
    if settings.source == "archive":
        return dg.RunRequest(
            run_key=run_key, tags=tags, run_config={"resources": {"week": {"config": {"as_of": week.isoformat()}}}}
        )
    days = missing_days(instance, settings, last=week - timedelta(days=1))
    return dg.RunRequest(run_key=run_key, tags={**range_tags(*days), **tags})


def missing_days(instance: dg.DagsterInstance, settings: Settings, *, last: date) -> tuple[date, date]:
    """First and last day a scheduled run has to land."""
    return days_to_cover(instance, map(key_of, DATASETS.values()), start=first_ingestion_day(settings), last=last)


def is_busy(instance: dg.DagsterInstance, settings: Settings) -> bool:
    """Whether a run is under way in the data folder, started by Dagster or by hand."""
    holder = RunLock(settings.folder).holder()
    return (holder is not None and holder.is_running) or bool(instance.get_runs(RunsFilter(statuses=RUNNING), limit=1))


def utc_now() -> datetime:
    """The current instant; schedules that are late ask for it."""
    return datetime.now(UTC)


def scheduled_at(context: dg.ScheduleEvaluationContext) -> datetime:
    """Instant a schedule is evaluated for."""
    return context.scheduled_execution_time.astimezone(UTC)
