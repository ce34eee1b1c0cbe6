"""Creating the versioned tables, their `_current` views and the ledger, with comments on every table and column.

Belongs here: statements that make or check their layout. Does not: which tables there are (`versioned_tables.py`),
writing rows (`versions.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from orchestration.lib.incoming_rows import VersionError
from orchestration.lib.lake import create_turns, is_lake
from orchestration.lib.ledger import (
    LEDGER_COLUMNS,
    LEDGER_DESCRIPTION,
    LEDGER_DESCRIPTIONS,
    LEDGER_SCHEMA,
    LEDGER_SQL_NAME,
)
from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.versioned_tables import (
    NULLABLE_VERSION_COLUMNS,
    VERSION_DESCRIPTIONS,
    VERSIONED_TABLES,
    VersionedTable,
)


class TableLayoutError(VersionError):
    """A versioned table in the warehouse has other columns than the registry says."""


def create_versioned_tables(
    connection: duckdb.DuckDBPyConnection, *, tables: Sequence[VersionedTable] = VERSIONED_TABLES
) -> None:
    """Create the ledger, the versioned tables and their `_current` views with comments; harmless when they exist.

    Args:
        connection: On the warehouse, open for writing.
        tables: Which tables; by default all of the registry.

    Raises:
        TableLayoutError: A table exists with other columns.
    """
    descriptions = dict(VERSION_DESCRIPTIONS) | dict(LEDGER_DESCRIPTIONS)
    with transaction(connection):
        create_turns(connection)
        required = set(LEDGER_COLUMNS) - NULLABLE_VERSION_COLUMNS
        _create_table(connection, LEDGER_SCHEMA, LEDGER_SQL_NAME, LEDGER_COLUMNS, required=required)
        _comment(connection, "table", LEDGER_SQL_NAME, LEDGER_DESCRIPTION, {c: descriptions[c] for c in LEDGER_COLUMNS})
        for table in tables:
            _create_table(connection, table.schema, table.sql_name, table.columns, required=_required(table))
            _comment(connection, "table", table.sql_name, table.description, table.column_descriptions)
            shown = {name: text for name, text in table.column_descriptions.items() if name != "superseded_at"}
            columns = ", ".join(f'"{column}"' for column in shown)
            view = table.current_view_sql_name
            connection.execute(
                f"create or replace view {view} as select {columns} from {table.sql_name} where superseded_at is null"
            )
            _comment(connection, "view", view, f"Current versions. {table.description}", shown)


_within: set[int] = set()
"""Connections that are within a transaction of `transaction`: to begin another one would break it, and DuckDB does not tell."""


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: commit at the end of the block, roll back when it raises; within another such block it is part of that one."""
    if id(connection) in _within:
        yield
        return
    connection.begin()
    _within.add(id(connection))
    try:
        try:
            yield
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        _within.discard(id(connection))


def table_ddl(table: VersionedTable) -> str:
    """The statement that makes a versioned table where it is missing."""
    return _ddl(table.sql_name, table.columns, required=_required(table))


def _required(table: VersionedTable) -> set[str]:
    return set(table.columns) - table.nullable_columns


def _ddl(sql_name: str, columns: Mapping[str, str], *, required: set[str]) -> str:
    lines = ", ".join(f'"{name}" {kind}{" not null" if name in required else ""}' for name, kind in columns.items())
    return f"create table if not exists {sql_name} ({lines})"


def _create_table(
    connection: duckdb.DuckDBPyConnection, schema: str, sql_name: str, columns: Mapping[str, str], *, required: set[str]
) -> None:
    connection.execute(f'create schema if not exists "{schema}"')
    connection.execute(_ddl(sql_name, columns, required=required))
    stored = connection.execute(f"select * from {sql_name} limit 0").pl().columns
    if stored != list(columns):
        differing = sorted(set(stored) ^ set(columns)) or "their order"
        raise TableLayoutError(
            f"{sql_name}: the warehouse has other columns than the registry ({differing}), and no migration leads from one to the "
            "other. Its versions are published and cannot be rewritten: take the code that wrote it, or build into a new data folder."
        )


def _comment(
    connection: duckdb.DuckDBPyConnection, kind: str, sql_name: str, description: str, columns: Mapping[str, str]
) -> None:
    comments = [f"comment on {kind} {sql_name} is {sql_text(description)}"]
    if kind != "view" or not is_lake(connection):  # a lake keeps no comments on columns of views
        comments += [f'comment on column {sql_name}."{column}" is {sql_text(text)}' for column, text in columns.items()]
    connection.execute(";".join(comments))
