"""Migrations of the warehouse: numbered steps from the tables of an earlier release to those of this one, and a record of them.

What is recorded cannot be rewritten, so a migration adds: a new column is null in every version that was recorded before it, and
`content_hash` of such a version goes on covering the columns that it was recorded with (`recorded_with`). Steps only lead forward; a
warehouse with a step that this code does not know is refused.

    SchemaError (TidemarkError)    the tables of the warehouse do not fit this code

A new release that changes a versioned table, or another table whose rows a run cannot write anew, appends a `Migration` to
`MIGRATIONS` and never changes one that was released. Tables that every run writes anew need none (`warehouse_tables.py`).

Belongs here: the steps, applying them, the table `quality.schema_versions`, which columns a version was recorded with. Does not: what the
tables are now (`versioned_tables.py`), making them (`versioned_layout.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.lib.code_version import code_version
from orchestration.lib.errors import TidemarkError
from orchestration.lib.lake import uncontested
from orchestration.lib.sql_quoting import quoted, sql_text
from orchestration.lib.versioned_layout import table_ddl, transaction
from orchestration.lib.versioned_tables import VERSIONED_TABLES, VersionedTable
from orchestration.lib.warehouse import connect, table_exists

SCHEMA_VERSIONS = "quality.schema_versions"
SCHEMA_VERSIONS_TABLE = f"""create table if not exists {SCHEMA_VERSIONS} (number integer not null, name varchar not null,
    applied_at timestamptz not null, code_version varchar not null, columns_added varchar[] not null)"""
COMMENTS = {
    "number": "Number of the migration; the highest is the version of the schema.",
    "name": "What it changed, in words.",
    "applied_at": "UTC instant at which this warehouse got it; versions recorded before it lack the columns it added.",
    "code_version": "Version of the code that applied it.",
    "columns_added": "Columns it added to versioned tables of this warehouse, as schema.table.column; none in one that was made later.",
}


class SchemaError(TidemarkError):
    """The tables of the warehouse do not fit this code."""


@dataclass(frozen=True)
class Migration:
    """One step.

    Attributes:
        number: Its place, counted from 1.
        name: What it changes, in words.
        change: Changes the tables where they need it; returns the columns it added to versioned tables, as `schema.table.column`.
    """

    number: int
    name: str
    change: Callable[[duckdb.DuckDBPyConnection], list[str]]


def adding(table: str, columns: Mapping[str, str]) -> Callable[[duckdb.DuckDBPyConnection], list[str]]:
    """A change that gives a table columns it lacks, null in the rows that are there.

    Args:
        table: `schema.name`; where it is not there nothing is done, it is made with all its columns.
        columns: Name to DuckDB type as of that release; not taken from the registry, which goes on changing.
    """

    def change(connection: duckdb.DuckDBPyConnection) -> list[str]:
        there = column_types(connection, table)
        missing = {name: kind for name, kind in columns.items() if there and name not in there}
        for name, kind in missing.items():
            connection.execute(f"alter table {table} add column {quoted(name)} {kind}")
        return [f"{table}.{name}" for name in missing]

    return change


def dropping(*tables: str) -> Callable[[duckdb.DuckDBPyConnection], list[str]]:
    """A change that drops tables that every build made anew and that no model makes any more."""

    def change(connection: duckdb.DuckDBPyConnection) -> list[str]:
        for table in tables:
            if table_exists(connection, *table.split(".")):
                connection.execute(f"drop table {table}")
        return []

    return change


def dropping_what_dbt_left(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Drop the tables in which Python models handed over their days, which dbt leaves behind in every week (its `__dbt_tmp`)."""
    left = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'main' "
        "and contains(table_name, '__dbt_tmp')"
    ).fetchall()
    for (name,) in left:
        connection.execute(f"drop table main.{quoted(name)}")
    return []


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        number=1,
        name="a call says since which day it stands",
        change=adding("learning.trading_signals", {"signal_since_date": "date"}),
    ),
    Migration(
        number=2,
        name="a moonshot pick has a plan, odds, a rationale and a research card",
        change=adding(
            "screens.moonshots",
            {
                "candidates": "integer",
                "ranked_by": "varchar",
                "p_2x_90d": "double",
                "p_3x_90d": "double",
                "warnings_checked": "integer",
                "cap_bucket": "varchar",
                "volatility_bucket": "varchar",
                "base_rate_2x_90d": "double",
                "base_rate_3x_90d": "double",
                "base_rate_half_90d": "double",
                "base_rate_observations": "bigint",
                "entry_low_usd": "double",
                "entry_high_usd": "double",
                "stop_usd": "double",
                "stop_basis": "varchar",
                "target_1_usd": "double",
                "target_1_share": "double",
                "target_2_usd": "double",
                "target_2_share": "double",
                "target_3_usd": "double",
                "target_3_share": "double",
                "expiry_date": "date",
                "risk_class": "varchar",
                "risk_marks": "varchar",
                "position_weight": "double",
                "position_limit": "varchar",
                "rationale": "varchar",
                "research_card": "varchar",
            },
        ),
    ),
    Migration(
        number=3,
        name="features of prices alone are a table of their own",
        change=dropping("intermediate.int_features", "intermediate.int_features_relative"),
    ),
    Migration(
        number=4,
        name="what dbt's Python models handed over their days in is dropped",
        change=dropping_what_dbt_left,
    ),
)


def migrate(
    connection: duckdb.DuckDBPyConnection,
    *,
    migrations: Sequence[Migration] = MIGRATIONS,
    tables: Sequence[VersionedTable] = VERSIONED_TABLES,
    now: datetime | None = None,
) -> list[Migration]:
    """Bring the tables of a warehouse to those of this code, all in one transaction; nothing is done where they are there.

    Args:
        connection: The warehouse, open for writing.
        migrations: Every step there is, in order.
        tables: Versioned tables, whose columns are put into the order of the registry after a step.
        now: When it happens, by default now: versions recorded from then on have the new columns.

    Returns:
        The steps that were applied now.

    Raises:
        SchemaError: The warehouse has had a step that this code does not know.
    """
    applied = schema_version(connection)
    check_known(connection, known=len(migrations))
    pending = [each for each in migrations if each.number > applied]
    if not pending:
        return []
    applied_at = now or datetime.now(UTC)
    with transaction(connection):
        connection.execute("create schema if not exists quality")
        connection.execute(SCHEMA_VERSIONS_TABLE)
        for column, text in COMMENTS.items():
            connection.execute(f"comment on column {SCHEMA_VERSIONS}.{column} is {sql_text(text)}")
        for each in pending:
            connection.execute(
                f"insert into {SCHEMA_VERSIONS} values (?, ?, ?, ?, ?)",
                [each.number, each.name, applied_at, code_version(), each.change(connection)],
            )
        for table in tables:
            _put_in_order(connection, table)
    return pending


def migrate_file(path: Path) -> list[Migration]:
    """Migrate a warehouse file; one that is not there needs nothing.

    Raises:
        SchemaError: The warehouse has had a step that this code does not know.
        WarehouseError: The file cannot be opened.
    """
    if not path.exists():
        return []
    # Most runs find nothing to do, and opening a file to read leaves it as it is.
    with connect(path, read_only=True) as connection:
        check_known(connection, known=len(MIGRATIONS))
        if schema_version(connection) == len(MIGRATIONS):
            return []
    with connect(path) as connection:
        return uncontested(connection, lambda: migrate(connection))


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """Number of the last migration a warehouse, or a published copy, has had; 0 before the first."""
    try:
        row = connection.execute(f"select coalesce(max(number), 0) from {SCHEMA_VERSIONS}").fetchone()
    except duckdb.CatalogException:  # asking the catalogue first would cost more than all the rest
        return 0
    return int(row[0]) if row else 0


def check_known(connection: duckdb.DuckDBPyConnection, *, known: int) -> None:
    """Refuse a warehouse that a later release has migrated.

    Raises:
        SchemaError: Its schema has a higher version than `known`.
    """
    found = schema_version(connection)
    if found <= known:
        return
    row = connection.execute(
        f"select name, code_version, applied_at from {SCHEMA_VERSIONS} order by number desc limit 1"
    ).fetchone()
    name, version, at = row if row else ("", "", None)
    raise SchemaError(
        f"the warehouse has schema version {found} ({name}; by {version} on {at:%Y-%m-%d}) and this code knows {known}: take the newer "
        "code again, or restore the copy of the data folder from before the upgrade"
    )


def require_current(connection: duckdb.DuckDBPyConnection, *, known: int = len(MIGRATIONS)) -> None:
    """Refuse a warehouse that this code cannot read as it is: one of a later release, or one that has yet to be migrated.

    Raises:
        SchemaError: Its schema has another version than `known`.
    """
    check_known(connection, known=known)
    if (found := schema_version(connection)) < known:
        raise SchemaError(
            f"the warehouse has schema version {found} and this code needs {known}: make run brings it up before it does anything else"
        )


def columns_added(connection: duckdb.DuckDBPyConnection, table: VersionedTable) -> dict[str, datetime]:
    """Columns that migrations added to a versioned table of this database, each with the instant."""
    if not table_exists(connection, *SCHEMA_VERSIONS.split(".")):
        return {}
    rows = connection.execute(
        f"""select split_part(name, '.', 3), applied_at
        from (select unnest(columns_added) as name, applied_at from {SCHEMA_VERSIONS})
        where starts_with(name, ?)""",
        [f"{table.full_name}."],
    ).fetchall()
    return {name: at.astimezone(UTC) for name, at in rows}


def recorded_with(table: VersionedTable, added: Mapping[str, datetime], recorded_at: datetime) -> VersionedTable:
    """The table as it was when a version was recorded: without the value columns that came later, which its hash does not cover.

    Args:
        table: The table as it is now.
        added: Columns that migrations added, each with the instant (`columns_added`).
        recorded_at: When the version was recorded.
    """
    return without_columns(table, {name for name, at in added.items() if at > recorded_at})


def without_columns(table: VersionedTable, later: set[str]) -> VersionedTable:
    """The table as it was before it had some of its value columns."""
    if not later:
        return table
    return replace(
        table,
        value_columns={name: kind for name, kind in table.value_columns.items() if name not in later},
        value_descriptions={name: text for name, text in table.value_descriptions.items() if name not in later},
    )


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Types of the columns of a table in their order, empty where it is not there.

    Args:
        connection: A database.
        table: `schema.name`.
    """
    if not table_exists(connection, *table.split(".")):
        return {}
    described = connection.execute(f"select * from {table} limit 0").description or []
    return {name: str(kind) for name, kind, *_ in described}


def _put_in_order(connection: duckdb.DuckDBPyConnection, table: VersionedTable) -> None:
    """Give a table whose columns are all there the order of the registry, which a column added later does not have."""
    there = list(column_types(connection, table.full_name))
    if there == list(table.columns) or set(there) != set(table.columns):
        return
    aside = f"{table.name}_before_migration"
    connection.execute(f"alter table {table.sql_name} rename to {quoted(aside)}")
    connection.execute(table_ddl(table))
    columns = ", ".join(map(quoted, table.columns))
    connection.execute(
        f"insert into {table.sql_name} ({columns}) select {columns} from {quoted(table.schema)}.{quoted(aside)}"
    )
    connection.execute(f"drop table {quoted(table.schema)}.{quoted(aside)}")
