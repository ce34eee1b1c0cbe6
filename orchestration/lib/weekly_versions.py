"""Versions of tables whose unit is the week: new weeks and corrected ones in one call.

Belongs here: the reasons they are recorded under.
Does not: how a version is written (`versions.py`), which weeks are computed (`run_context.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from orchestration.lib.run_context import RunContext, recorded_weeks
from orchestration.lib.versioned_tables import VersionedTable
from orchestration.lib.versions import Appended, append_versions


def append_corrections_apart(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    rows: pl.DataFrame,
    expected: pl.DataFrame,
    context: RunContext,
    reason: str,
) -> Appended:
    """Append weeks with a reason each: weeks recorded before are corrections, the others are new.

    Args:
        connection: The warehouse.
        table: A table versioned by as_of_week.
        rows: Its rows, as `append_versions` takes them.
        expected: The weeks this call is about (`units_of`), those that stay empty included.
        context: The build.
        reason: Reason of the new weeks.
    """
    recorded = recorded_weeks(connection, table.full_name)
    results = []
    for is_known, text in ((False, reason), (True, "correction")):
        chosen = expected.filter(pl.col("as_of_week").is_in(list(recorded)) == is_known)
        if chosen.is_empty():
            continue
        part = rows.filter(pl.col("as_of_week").is_in(chosen["as_of_week"].unique().to_list()))
        results.append(append_versions(connection, table, part, provenance=context.provenance(text), units=chosen))
    return merge_appended(table.full_name, results)


def merge_appended(table_name: str, results: Sequence[Appended]) -> Appended:
    """The sum of several calls on one table."""
    return Appended(
        table_name=table_name,
        new_units=sum(result.new_units for result in results),
        new_versions=sum(result.new_versions for result in results),
        unchanged_units=sum(result.unchanged_units for result in results),
        rows=sum(result.rows for result in results),
        units=tuple(unit for result in results for unit in result.units),
    )
