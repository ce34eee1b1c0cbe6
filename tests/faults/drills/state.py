"""What a data folder says to its readers, in a form that can be compared between an undisturbed folder and a disturbed one.

Belongs here: reading published tables and landed rows, counting rows lost and numbers that are wrong.
Does not: runs (`ground.py`), what is judged a success (the drills).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore
from orchestration.lib.published_copy import attached
from orchestration.lib.verification import inspect_chain
from orchestration.sources.datasets import DATASETS

SCHEMAS = ("marts", "learning", "indices", "screens", "api", "quality")

DIFFERS_BY_RUN = {
    *("recorded_at", "superseded_at", "run_id", "input_cutoff", "inputs_hash", "code_version", "version_reason"),
    *("checked_at", "last_attempt_at", "started_at", "completed_at"),
}
"""Columns that say when and by which run something was recorded; two undisturbed runs differ in them."""

NOT_COMPARED = {
    "quality.builds",  # one row a run, begun ones included
    "quality.check_results",  # one row a check and run
    "quality.run_rows",  # one row a table and run
    "quality.run_steps",  # one row a step and run
    "quality.schema_versions",  # when this warehouse was made
    "quality.source_health",  # how each attempt of each run ended
}
"""Tables that tell of runs and not of the market."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""Within which two numbers are one: sums over threads end differently in their last digits, in undisturbed runs too. Versioned tables are
recorded with hashes over twelve digits, which `make verify` holds besides."""

FLOATS = ("DOUBLE", "FLOAT")

Digest = dict[str, tuple[int, int]]
"""By table its number of rows and a sum over hashes of its rows; equal digests mean equal rows in any order."""


@dataclass(frozen=True)
class Difference:
    """How a disturbed folder differs from an undisturbed one.

    Attributes:
        lost: Rows that are missing, whatever replaced them.
        wrong: Rows that say something the undisturbed folder does not say.
        where: Tables concerned, with both counts, for the report.
    """

    lost: int
    wrong: int
    where: tuple[str, ...]

    def __str__(self) -> str:
        """For messages."""
        return "; ".join(self.where) or "no difference"


def published_file(folder: Path) -> Path:
    """The warehouse that readers open."""
    return DataFolder(folder).published / "warehouse.duckdb"


def digest_of(folder: Path) -> Digest:
    """Digest of the published copy.

    Raises:
        PublishError: The published warehouse cannot be opened.
        duckdb.Error: A table in it cannot be read.
    """
    with attached(published_file(folder), alias="published") as connection:
        connection.execute("set threads = 1")
        return {
            table: _digest(connection, f'"{table.split(".")[0]}"."{table.split(".")[1]}"', columns)
            for table, columns in compared_columns(connection, "published").items()
        }


def compared_columns(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, dict[str, str]]:
    """Columns of every published table that do not depend on the run, with their types, by `schema.table`."""
    found = connection.execute(
        """
        select
            columns.schema_name || '.' || columns.table_name,
            list(columns.column_name order by columns.column_index),
            list(columns.data_type order by columns.column_index)
        from duckdb_columns() as columns
        inner join duckdb_tables() as tables using (database_name, schema_name, table_name)
        where database_name = ? and list_contains(?, schema_name)
        group by all order by all
        """,
        [database, list(SCHEMAS)],
    ).fetchall()
    return {
        table: {name: kind for name, kind in zip(columns, types, strict=True) if name not in DIFFERS_BY_RUN}
        for table, columns, types in found
        if table not in NOT_COMPARED
    }


def _rounded(name: str, kind: str) -> str:
    """SQL of a column, numbers with ten digits; -0 is 0."""
    return f"""printf('%.9e', "{name}"::double + 0.0)""" if kind in FLOATS else f'"{name}"'


def _digest(connection: duckdb.DuckDBPyConnection, sql_name: str, columns: dict[str, str]) -> tuple[int, int]:
    listed = ", ".join(_rounded(name, kind) for name, kind in columns.items())
    row = connection.execute(f"select count(*), coalesce(sum(hash({listed})::hugeint), 0) from {sql_name}").fetchone()
    if row is None:
        raise AssertionError(f"{sql_name}: an aggregate without a row")
    return int(row[0]), int(row[1])


def published_difference(expected: Path, found: Path) -> Difference:
    """Compare two published copies row by row; the digests first, since they are nearly always equal."""
    lost = wrong = 0
    where = []
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        for alias, folder in (("expected", expected), ("found", found)):
            connection.execute(f"attach '{published_file(folder)}' as {alias} (read_only)")
        tables = compared_columns(connection, "expected")
        others = compared_columns(connection, "found")
        for table in sorted(set(tables) | set(others)):
            if tables.get(table) != others.get(table):
                lost += 1
                where.append(f"{table}: columns {tables.get(table)} and {others.get(table)}")
                continue
            name = ".".join(f'"{part}"' for part in table.split("."))
            if _digest(connection, f"expected.{name}", tables[table]) == _digest(
                connection, f"found.{name}", tables[table]
            ):
                continue
            missing, extra = _left_over(connection, name, tables[table])
            if not missing and not extra:
                continue
            lost += max(0, missing - extra)
            wrong += extra
            where.append(f"{table}: {missing} rows missing, {extra} others")
    return Difference(lost, wrong, tuple(where))


def _left_over(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> tuple[int, int]:
    """Rows of a table that only one of two copies has: missing in `found`, and others in it. Equal but for last digits is equal."""
    rounded = ", ".join(
        f'{_rounded(column, kind)} as "r{place}"' for place, (column, kind) in enumerate(columns.items())
    )
    keys = ", ".join(f'"r{place}"' for place in range(len(columns)))
    exact = ", ".join(f'"{column}"' for column in columns)
    sides = []
    for one, other in (("expected", "found"), ("found", "expected")):
        # Of rows that only this side has, the numbers in full; counts of equal rows are compared too.
        sides.append(
            connection.execute(
                f"""
                with mine as (select *, {rounded} from {one}.{name}), theirs as (select {rounded} from {other}.{name}),
                left_over as (select {keys}, row_number() over (partition by {keys}) as copy from mine
                    except all select {keys}, row_number() over (partition by {keys}) as copy from theirs),
                numbered as (select *, row_number() over (partition by {keys}) as copy from mine)
                select {exact} from numbered semi join left_over on {
                    " and ".join(
                        f'numbered."r{place}" is not distinct from left_over."r{place}"'
                        for place in range(len(columns))
                    )
                } and numbered.copy = left_over.copy
                order by {", ".join(f'"{column}"' for column, kind in columns.items() if kind not in FLOATS) or "1"}
                """
            ).pl()
        )
    expected, found = sides
    if expected.height != found.height:
        return expected.height, found.height
    differs = pl.Series([False] * expected.height, dtype=pl.Boolean)
    for column, kind in columns.items():
        one, other = expected[column], found[column]
        if kind in FLOATS:
            is_close = (one - other).abs() <= one.abs() * RELATIVE + ABSOLUTE
            differs = differs | ~(is_close.fill_null(value=False) | (one.is_null() & other.is_null()))
        else:
            differs = differs | one.ne_missing(other)
    return int(differs.sum()), int(differs.sum())


def landed_difference(expected: Path, found: Path) -> Difference:
    """Compare the newest landed rows of every dataset; what only the disturbed folder has counts as wrong."""
    lost = wrong = 0
    where = []
    stores = LandingStore(expected), LandingStore(found)
    for dataset in DATASETS.values():
        one, other = (store.newest(dataset).select(list(dataset.columns)) for store in stores)
        if one.is_empty() and other.is_empty():
            continue
        columns = list(dataset.columns)
        missing = one.join(other, on=columns, how="anti", nulls_equal=True).height
        extra = other.join(one, on=columns, how="anti", nulls_equal=True).height
        if missing or extra:
            lost += max(0, missing - extra)
            wrong += extra
            where.append(f"landing {dataset.label}: {missing} rows missing, {extra} others")
    return Difference(lost, wrong, tuple(where))


def difference(expected: Path, found: Path) -> Difference:
    """Published copies and landed rows together."""
    parts = published_difference(expected, found), landed_difference(expected, found)
    return Difference(
        sum(part.lost for part in parts),
        sum(part.wrong for part in parts),
        tuple(text for part in parts for text in part.where),
    )


def chain_problems(folder: Path) -> tuple[str, ...]:
    """What `make verify` finds wrong in a published copy."""
    return inspect_chain(DataFolder(folder).published).problems
