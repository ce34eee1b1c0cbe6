"""Which days a Python model of dbt computes: what `dbt_project/macros/rebuilt_days.sql` is to models in SQL.

Belongs here: asking for the day, its condition on rows, handing frames to DuckDB. Does not: which days are rebuilt (the macro).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa


def first_rebuilt_day(dbt: Any, session: duckdb.DuckDBPyConnection) -> date | None:
    """First day an incremental model computes, noted in intermediate.rebuilt_days; None where it computes all there are.

    Args:
        dbt: What dbt gives a Python model.
        session: The connection it gives.
    """
    if not dbt.is_incremental:
        return None
    node = dbt.this.identifier
    ((first,),) = session.execute(
        "select rebuilt_from from intermediate.first_rebuilt_days where node = ?", [node]
    ).fetchall()
    session.execute("insert into intermediate.rebuilt_days values (?, ?)", [node, first])
    return date.fromisoformat(str(first))


def in_rebuilt_days(since: date | None, *, days_before: int = 0) -> str:
    """Condition in SQL: whether a row is of a day the model computes, or of one of the days before that they look back on.

    Args:
        since: What `first_rebuilt_day` says.
        days_before: Days they look back on. Where daily returns are read it is one more: a return needs the price of the day before.
    """
    return "true" if since is None else f"market_date >= date '{since - timedelta(days=days_before)}'"


def reader_of(batches: Iterator[pl.DataFrame]) -> pa.RecordBatchReader:
    """Frames as DuckDB draws them: it writes one while the next is computed, and they are never in memory as a whole.

    Args:
        batches: At least one frame; all of them have the same columns.
    """
    tables = (batch.to_arrow() for batch in batches)
    first = next(tables)
    return pa.RecordBatchReader.from_batches(
        first.schema, (part for table in chain([first], tables) for part in table.to_batches())
    )
