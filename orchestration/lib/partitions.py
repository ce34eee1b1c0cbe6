"""The partitions of the project, defined once: days of ingestion from the warehouse's start on.

Belongs here: partition definitions, the partition range of a run, and the days a run has to cover.
Does not: weeks of tables, which are units of versions and no partitions (an event a week and table costs 12 ms, 30 s a history).
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import dagster as dg

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.week_choice import SIMULATED_END, choose_week
from orchestration.settings import Settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
SINGLE = "dagster/partition"

LANDING_JOBS = ("ingest_daily", "weekly")
"""Jobs that land days, and hence are launched with a partition or a range of them (not so from an archive)."""


def first_ingestion_day(settings: Settings) -> date:
    """The day from which on days land by themselves; a folder never used starts with the Sunday before its first week."""
    return DataFolder(settings.folder).start_date() or choose_week(settings).week - timedelta(days=1)


def ingestion_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days that land one by one, up to yesterday or the simulated market's end; the history before is one unpartitioned load."""
    end = SIMULATED_END.isoformat() if settings.source == "simulated" else None
    return dg.DailyPartitionsDefinition(
        start_date=first_ingestion_day(settings).isoformat(), end_date=end, timezone="UTC"
    )


def days_to_cover(
    instance: dg.DagsterInstance, landed: Iterable[dg.AssetKey], *, start: date, last: date
) -> tuple[date, date]:
    """First and last day of the partition range of a run: from the day after the newest recorded one to `last`.

    A run for days that are recorded already covers `last` again. One for a week before `start` covers `start`, since there is no
    earlier partition; it lands nothing that the history has not.

    Args:
        instance: Dagster's records of the data folder.
        landed: Keys of the day-partitioned assets.
        start: First partition.
        last: Day before the Monday that the run is for.
    """
    recorded = [day for key in landed for day in instance.get_materialized_partitions(key)]
    after = date.fromisoformat(max(recorded)) + timedelta(days=1) if recorded else start
    end = max(start, last)
    return min(max(start, after), end), end


def last_day_of(tags: Mapping[str, str]) -> date | None:
    """The last day of a run's partitions, None for a run without any."""
    day = tags.get(RANGE_END) or tags.get(SINGLE)
    return date.fromisoformat(day) if day else None


def range_tags(first: date, last: date) -> Mapping[str, str]:
    """Tags of one run over a range of days."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
