"""The warehouse: one DuckDB file, or a lake (`lake.py`), and the dbt runs that build it.

Belongs here: opening the file, what changed in landing since the last build.
Does not: the views over landed files (`raw_views.py`), tables of dbt (`dbt_project`), versioned tables (`versions.py`), the
published copy (`publishing.py`).
DuckDB admits one writing process: nothing here keeps a connection open while dbt runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from orchestration.lib.duckdb_memory import memory_limit
from orchestration.lib.errors import TidemarkError
from orchestration.lib.lake import is_lake_path, open_lake
from orchestration.lib.raw_views import create_raw_views
from orchestration.sources.datasets import Dataset

__all__ = [
    "SCHEMAS",
    "Changes",
    "WarehouseError",
    "changes_since",
    "connect",
    "count_rows",
    "create_raw_views",
    "create_schemas",
    "table_exists",
]

SCHEMAS = (
    *("raw", "staging", "intermediate", "marts", "learning", "indices", "screens", "market", "quality", "api"),
    "reference",
)


class WarehouseError(TidemarkError):
    """The warehouse file cannot be used."""


@contextmanager
def connect(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse in UTC; the lock is released even when the body fails.

    Raises:
        WarehouseError: Another process writes the file, or the file is damaged.
    """
    try:
        if is_lake_path(path):
            connection = open_lake(path, read_only=read_only)
        else:
            connection = duckdb.connect(
                str(path), read_only=read_only, config={"threads": 2, "memory_limit": memory_limit()}
            )
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be opened ({str(error).splitlines()[0]}). If another program has it open, close it; if it is "
            "damaged, make rebuild-warehouse builds it again from landing and the published versions."
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        yield connection
    finally:
        connection.close()


def create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every schema of the warehouse that is missing."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")


@dataclass(frozen=True)
class Changes:
    """What loads since a build touch.

    Attributes:
        first_days: First market_date of each dataset that may look different, by its raw view `source__name`; those without a change are
            left out.
        first_recent_day: The earliest of all from `recent_from` on, None where there is none.
    """

    first_days: Mapping[str, date]
    first_recent_day: date | None


def changes_since(
    connection: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None,
    as_of: datetime,
    datasets: list[Dataset],
    recent_from: date = date.min,
) -> Changes:
    """The days that may look different through loads after `since`, among rows known at `as_of`.

    A row counts for the last day before it became known: a monthly series that comes five weeks late changes nothing that was
    built for the weeks in between.

    Args:
        connection: The warehouse with its raw views.
        since: Cut-off of the build before, None for a first build.
        as_of: Rows available later do not count.
        datasets: Dated datasets that features depend on.
        recent_from: First day that is recent.
    """
    first_days, recent = {}, []
    for dataset in datasets:
        view = f"{dataset.source}__{dataset.name}"
        after = "" if since is None else f"and loaded_at > '{since.isoformat()}'::timestamptz"
        row = connection.execute(
            "select min(known_date), min(known_date) filter (known_date >= ?) "
            f"from (select timezone('UTC', available_at)::date - 1 as known_date, loaded_at, available_at from raw.{view}) "
            f"where available_at <= '{as_of.isoformat()}'::timestamptz {after}",
            [recent_from],
        ).fetchone()
        if row is not None and row[0] is not None:
            first_days[view] = row[0]
            recent += [row[1]] if row[1] is not None else []
    return Changes(first_days, min(recent, default=None))


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether a table or view is there."""
    row = connection.execute(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return bool(row and row[0])


def count_rows(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    """Number of rows of a table, or of whatever else stands after `from`, as SQL."""
    row = connection.execute(f"select count(*) from {rows}").fetchone()
    return int(row[0]) if row else 0
