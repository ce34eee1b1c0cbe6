"""The tables that Python writes into the warehouse, made before anything reads them.

Belongs here: which they are, their words, and making those anew that an earlier release laid out otherwise. Does not: their rows (the
modules that write them), versions (`versions.py`), migrations of what cannot be written anew (`migrations.py`), what dbt builds.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.lib.check_results import create_check_results
from orchestration.lib.index_backtest import create_backtest_tables
from orchestration.lib.index_insurance import create_insurance_table
from orchestration.lib.index_kit import create_kit_tables
from orchestration.lib.known_contributions import create_contributions_table
from orchestration.lib.lake import without_keys
from orchestration.lib.market_tables import create_market_tables
from orchestration.lib.migrations import SchemaError
from orchestration.lib.model_table import create_model_table
from orchestration.lib.moonshot_outcomes import create_outcome_tables
from orchestration.lib.publishing import PUBLISHED_HISTORIES
from orchestration.lib.run_history import RUN_ROWS, RUN_STEPS, create_run_history
from orchestration.lib.source_health import create_health_tables
from orchestration.lib.table_comments import comment_tables
from orchestration.lib.warehouse import create_schemas

INDEX_DEFINITIONS = """create table if not exists indices.definitions
    (index_id varchar primary key, name varchar, kind varchar, methodology varchar, first_date date, last_date date)"""


HISTORIES = frozenset({"quality.check_results", RUN_ROWS, RUN_STEPS, *PUBLISHED_HISTORIES})
"""Tables whose rows no later run could write again; all others made here follow wholly from what is recorded and landed."""


def create_written_tables(connection: duckdb.DuckDBPyConnection, views: Mapping[str, Mapping[str, str]]) -> None:
    """Make the tables that are neither versioned nor dbt's where they are missing, and comment their columns; the api views need them.

    A table that an earlier release laid out otherwise is made anew, without rows: the run that follows writes them.

    Args:
        connection: The warehouse with its schemas, open for writing.
        views: Descriptions of the columns of each api view (`table_comments.view_descriptions`).

    Raises:
        SchemaError: A table that holds history has other columns, and no migration has changed them.
    """
    _drop_outdated(connection)
    _create(connection)
    comment_tables(connection, views)


def _drop_outdated(connection: duckdb.DuckDBPyConnection) -> None:
    with duckdb.connect() as scratch:
        create_schemas(scratch)
        _create(scratch)
        layouts = _layouts(scratch)
    there = _layouts(connection)
    for name, columns in layouts.items():
        if there.get(name, columns) == columns:
            continue
        if name in HISTORIES:
            raise SchemaError(
                f"{name} has the columns {there[name]} and this code needs {columns}; its rows cannot be written again and no migration "
                "leads from one to the other: take the code that wrote it, or begin a new data folder from the same landed files"
            )
        connection.execute(f"drop table {name}")


def _layouts(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Columns and types of every table in their order, as one text."""
    tables = connection.execute(
        """select columns.schema_name || '.' || columns.table_name,
        string_agg(columns.column_name || ' ' || columns.data_type, ', ' order by columns.column_index)
        from duckdb_columns() as columns
        semi join duckdb_tables() as tables using (database_oid, table_oid)
        where not columns.internal group by all"""
    ).fetchall()
    return dict(tables)


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(without_keys(connection, INDEX_DEFINITIONS))
    create_backtest_tables(connection)
    create_kit_tables(connection)
    create_insurance_table(connection)
    create_contributions_table(connection)
    create_market_tables(connection)
    create_model_table(connection)
    create_outcome_tables(connection)
    create_check_results(connection)
    create_health_tables(connection)
    create_run_history(connection)
