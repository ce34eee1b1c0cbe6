"""The tables that Python writes into the warehouse, made before anything reads them.

Belongs here: which they are, and their words. Does not: their rows (the modules that write them), versions (`versions.py`), what dbt
builds.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.lib.check_results import create_check_results
from orchestration.lib.index_backtest import create_backtest_tables
from orchestration.lib.index_insurance import create_insurance_table
from orchestration.lib.index_kit import create_kit_tables
from orchestration.lib.lake import without_keys
from orchestration.lib.market_tables import create_market_tables
from orchestration.lib.model_table import create_model_table
from orchestration.lib.moonshot_outcomes import create_outcome_tables
from orchestration.lib.source_health import create_health_tables
from orchestration.lib.table_comments import comment_tables

INDEX_DEFINITIONS = """create table if not exists indices.definitions
    (index_id varchar primary key, name varchar, kind varchar, methodology varchar, first_date date, last_date date)"""


def create_written_tables(connection: duckdb.DuckDBPyConnection, views: Mapping[str, Mapping[str, str]]) -> None:
    """Make the tables that are neither versioned nor dbt's where they are missing, and comment their columns; the api views need them.

    Args:
        connection: The warehouse with its schemas, open for writing.
        views: Descriptions of the columns of each api view (`table_comments.view_descriptions`).
    """
    connection.execute(without_keys(connection, INDEX_DEFINITIONS))
    create_backtest_tables(connection)
    create_kit_tables(connection)
    create_insurance_table(connection)
    create_market_tables(connection)
    create_model_table(connection)
    create_outcome_tables(connection)
    create_check_results(connection)
    create_health_tables(connection)
    comment_tables(connection, views)
