"""Versions of tables whose unit is the week: new weeks and corrected ones in one call.

Belongs here: which weeks a table is behind another, and the reasons weeks are recorded under.
Does not: how a version is written (`versions.py`), which weeks are computed (`run_context.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from orchestration.lib.run_context import RunContext, recorded_weeks, units_of
from orchestration.lib.versioned_tables import VersionedTable
from orchestration.lib.versions import Appended, append_versions


def weeks_behind(
    connection: duckdb.DuckDBPyConnection, context: RunContext, table: VersionedTable, leader: VersionedTable
) -> list[date]:
    """Weeks to compute of a table that follows another one week by week: of those the leader has, the ones the context chooses."""
    led = recorded_weeks(connection, leader.full_name)
    if not led:
        return []
    chosen = context.weeks_to_build(min(led), recorded_weeks(connection, table.full_name))
    return [week for week in chosen if week in led]


def append_weeks(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    rows: pl.DataFrame,
    weeks: Sequence[date],
    context: RunContext,
    *,
    reason: str | None = None,
) -> Appended:
    """Append weeks with a reason each: weeks recorded before are corrections, the others are new.

    Args:
        connection: The warehouse.
        table: A table versioned by as_of_week.
        rows: Its columns and as_of_week, model_version where a model made them; further columns are left out.
        weeks: The weeks this call is about, those that stay empty included.
        context: The build.
        reason: Reason of the new weeks; by default the context's.
    """
    columns = ["as_of_week", *table.hashed_columns, *(name for name in rows.columns if name == "model_version")]
    content, expected = rows.select(columns), units_of(list(weeks))
    recorded = recorded_weeks(connection, table.full_name)
    results = []
    for is_known, text in ((False, reason or context.reason_for_new()), (True, "correction")):
        chosen = expected.filter(pl.col("as_of_week").is_in(list(recorded)) == is_known)
        if chosen.is_empty():
            continue
        part = content.filter(pl.col("as_of_week").is_in(chosen["as_of_week"].unique().to_list()))
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
