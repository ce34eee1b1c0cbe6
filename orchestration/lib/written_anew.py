"""Tables that every run writes anew, because they follow wholly from what is recorded.

Belongs here: replacing the rows of such a table. Does not: versions (`versions.py`), what the rows say.
"""

from __future__ import annotations

import duckdb
import polars as pl


def write_anew(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    """Replace all rows of a table, columns matched by name; a column that the rows lack becomes null."""
    connection.execute(f"delete from {table}")
    if rows.is_empty():
        return
    connection.register("rows_written_anew", rows.to_arrow())
    try:
        connection.execute(f"insert into {table} by name select * from rows_written_anew")
    finally:
        connection.unregister("rows_written_anew")
