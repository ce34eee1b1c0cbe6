"""The warehouse: one DuckDB file, its raw views over the landing files, and the dbt runs that build it.

Belongs here: opening the file, `raw` views, what changed in landing since the last build.
Does not: tables of dbt (`dbt_project`), versioned tables (`versions.py`), the published copy (`publishing.py`).
DuckDB admits one writing process: nothing here keeps a connection open while dbt runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.errors import TidemarkError
from orchestration.sources.datasets import DATASETS, Dataset

DUCKDB_TYPES = {
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Boolean: "BOOLEAN",
    pl.Datetime: "TIMESTAMPTZ",
}

SCHEMAS = ("raw", "staging", "intermediate", "marts", "learning", "indices", "screens", "quality", "api", "reference")


class WarehouseError(TidemarkError):
    """The warehouse file cannot be used."""


@contextmanager
def connect(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse in UTC; the lock is released even when the body fails.

    Raises:
        WarehouseError: Another process writes the file, or the file is damaged.
    """
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config={"threads": 2})
    except duckdb.Error as error:
        raise WarehouseError(
            f"{path} cannot be opened ({str(error).splitlines()[0]}). If another program has it open, close it; if it is "
            "damaged, move it away and run again: it is rebuilt from landing."
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


def create_raw_views(connection: duckdb.DuckDBPyConnection, landing_root: Path, *, input_cutoff: datetime) -> None:
    """One view a dataset in `raw`, over its landing files; a dataset that never landed is a view without rows.

    Args:
        connection: The warehouse.
        landing_root: Folder that has `landing/`.
        input_cutoff: Loads that ended later are invisible, so that a past state can be built again.
    """
    for dataset in DATASETS.values():
        view = f"raw.{dataset.source}__{dataset.name}"
        folder = landing_root / "landing" / dataset.source / dataset.name
        columns = dataset.landed_columns
        selected = ", ".join(f'"{name}"' for name in columns)
        if any(folder.glob("*/*.parquet")):
            pattern = str(folder / "*" / "*.parquet").replace("'", "''")
            body = (
                f"select {selected} from read_parquet('{pattern}', union_by_name = true) "
                f"where loaded_at <= '{input_cutoff.isoformat()}'::timestamptz"
            )
        else:
            typed = ", ".join(f'null::{_duckdb_type(dtype)} as "{name}"' for name, dtype in columns.items())
            body = f"select {typed} where false"
        connection.execute(f"create or replace view {view} as {body}")


def earliest_change(
    connection: duckdb.DuckDBPyConnection,
    *,
    since: datetime | None,
    as_of: datetime,
    datasets: list[Dataset],
    not_before: date = date.min,
) -> date | None:
    """First market_date that a load after `since` touches, among rows known at `as_of`; None where nothing changed.

    Args:
        connection: The warehouse with its raw views.
        since: Cut-off of the build before, None for a first build.
        as_of: Rows available later do not count.
        datasets: Dated datasets that features depend on.
        not_before: Days before it do not count.
    """
    newest = []
    for dataset in datasets:
        after = "" if since is None else f"and loaded_at > '{since.isoformat()}'::timestamptz"
        row = connection.execute(
            f"select min(market_date) from raw.{dataset.source}__{dataset.name} "
            f"where available_at <= '{as_of.isoformat()}'::timestamptz and market_date >= ? {after}",
            [not_before],
        ).fetchone()
        if row is not None and row[0] is not None:
            newest.append(row[0])
    return min(newest) if newest else None


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether a table or view is there."""
    row = connection.execute(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchone()
    return bool(row and row[0])


def _duckdb_type(dtype: object) -> str:
    """DuckDB's name of a polars type."""
    for polars_type, name in DUCKDB_TYPES.items():
        if dtype == polars_type or isinstance(dtype, polars_type):
            return name
    raise WarehouseError(f"no DuckDB type is known for the landing type {dtype}; add it to DUCKDB_TYPES")
