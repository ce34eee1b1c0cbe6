"""The partitions of the project, defined once: days of ingestion from the warehouse's start on.

Belongs here: partition definitions and the partition range of a run.
Does not: weeks of tables, which are units of versions and no partitions (an event a week and table costs 12 ms, 30 s a history).
"""

from collections.abc import Mapping
from datetime import date

import dagster as dg

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def ingestion_days(start: date) -> dg.DailyPartitionsDefinition:
    """Days from the first one that daily ingestion covers; the history before it is one unpartitioned load."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=0)


def range_tags(first: date, last: date) -> Mapping[str, str]:
    """Tags of one run over a range of days."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
