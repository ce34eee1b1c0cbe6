"""Jobs and schedules: daily ingestion, the build of a week, and both together every Monday."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.partitions import ingestion_days, range_tags
from orchestration.lib.week_choice import choose_week
from orchestration.lib.weeks import monday_of
from orchestration.settings import load_settings

INGESTION = dg.AssetSelection.groups("ingestion").materializable()
NOT_LIVE = "{source} data do not move with the calendar; run the job by hand (make run AS_OF=...)"
EVERYTHING = dg.AssetSelection.all().materializable()


@dg.definitions
def defs() -> dg.Definitions:
    """Three jobs, and schedules for the sources that move by themselves."""
    settings = load_settings()
    is_partitioned = settings.source != "archive"
    start = DataFolder(settings.folder).start_date() or choose_week(settings).week - timedelta(days=1)
    days = ingestion_days(start) if is_partitioned else None
    ingest_daily = dg.define_asset_job(
        "ingest_daily",
        INGESTION,
        partitions_def=days,
        description="Land what the providers say of the days up to yesterday.",
    )
    build_week = dg.define_asset_job(
        "build_week",
        EVERYTHING - INGESTION,
        description="Build, grade and publish the weeks up to AS_OF from what has landed.",
    )
    weekly = dg.define_asset_job(
        "weekly",
        EVERYTHING,
        partitions_def=days,
        description="Land, build, grade and publish: the whole chain up to AS_OF.",
    )

    @dg.schedule(job=ingest_daily, cron_schedule="45 0 * * 2-7", execution_timezone="UTC", name="ingest_daily_schedule")
    def every_day(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Tuesday to Sunday 00:45 UTC: the providers show a day's close 10 to 35 minutes after midnight."""
        if settings.source != "live":
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
            return
        yesterday = scheduled_at(context).date() - timedelta(days=1)
        yield dg.RunRequest(run_key=f"ingest-{yesterday}", tags=range_tags(yesterday, yesterday))

    @dg.schedule(job=weekly, cron_schedule="15 1 * * 1", execution_timezone="UTC", name="weekly_schedule")
    def every_monday(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Monday 01:15 UTC, after Sunday's close has landed: days since the last run, then the week."""
        if settings.source != "live":
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
            return
        monday = monday_of(scheduled_at(context).date())
        sunday = monday - timedelta(days=1)
        yield dg.RunRequest(run_key=f"weekly-{monday}", tags=range_tags(max(start, sunday), sunday))

    return dg.Definitions(jobs=[ingest_daily, build_week, weekly], schedules=[every_day, every_monday])


def scheduled_at(context: dg.ScheduleEvaluationContext) -> datetime:
    """Instant a schedule is evaluated for."""
    return context.scheduled_execution_time.astimezone(UTC)
