"""Jobs and schedules: daily ingestion, the build of a week, and both together every Monday."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.lib.landing_checks import key_of
from orchestration.lib.partitions import days_to_cover, first_ingestion_day, ingestion_days, range_tags
from orchestration.lib.weeks import monday_of
from orchestration.settings import load_settings
from orchestration.sources.datasets import DATASETS

INGESTION = dg.AssetSelection.groups("ingestion").materializable()
NOT_LIVE = "{source} data do not move with the calendar; run the job by hand (make run AS_OF=...)"
LIVE_ONLY = (
    "Switch it on for live data; on simulated data and archives, which do not move with the calendar, it does nothing."
)
EVERYTHING = dg.AssetSelection.all().materializable()


@dg.definitions
def defs() -> dg.Definitions:
    """Three jobs, and schedules for the sources that move by themselves."""
    settings = load_settings()
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
        description=f"Lands yesterday, when its close is out everywhere; Monday's part is in `weekly`. {LIVE_ONLY}",
    )
    def every_day(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Tuesday to Sunday 00:45 UTC: the providers show a day's close 10 to 35 minutes after midnight."""
        if settings.source != "live":
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
            return
        yesterday = scheduled_at(context).date() - timedelta(days=1)
        yield dg.RunRequest(run_key=f"ingest-{yesterday}", tags=range_tags(yesterday, yesterday))

    @dg.schedule(
        job=weekly,
        cron_schedule="15 1 * * 1",
        execution_timezone="UTC",
        name="weekly_schedule",
        description=f"Lands all days since the last run, then builds, grades and publishes the new week. {LIVE_ONLY}",
    )
    def every_monday(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        """Monday 01:15 UTC, after Sunday's close has landed: days since the last run, then the week."""
        if settings.source != "live":
            yield dg.SkipReason(NOT_LIVE.format(source=settings.source))
            return
        monday = monday_of(scheduled_at(context).date())
        sunday = monday - timedelta(days=1)
        first, last = days_to_cover(
            context.instance, map(key_of, DATASETS.values()), start=first_ingestion_day(settings), last=sunday
        )
        yield dg.RunRequest(run_key=f"weekly-{monday}", tags=range_tags(first, last))

    return dg.Definitions(jobs=[ingest_daily, build_week, weekly], schedules=[every_day, every_monday])


def scheduled_at(context: dg.ScheduleEvaluationContext) -> datetime:
    """Instant a schedule is evaluated for."""
    return context.scheduled_execution_time.astimezone(UTC)
