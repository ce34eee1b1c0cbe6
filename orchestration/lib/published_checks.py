"""Great Expectations at the edge where tables leave: the current rows of a versioned table, as a blocking check.

Belongs here: reading the rows and naming the check. Does not: the expectations (`suites_published.py`).
"""

import dagster as dg
import duckdb

from orchestration.lib.expectations import run_suite
from orchestration.lib.landing_checks import CHECK_NAME, check_result
from orchestration.lib.suites_published import PUBLISHED_SUITES
from orchestration.lib.versioned_tables import VersionedTable


def key_of(table: VersionedTable) -> dg.AssetKey:
    """Asset key of a versioned table."""
    return dg.AssetKey([table.schema, table.name])


def published_check_spec(table: VersionedTable) -> dg.AssetCheckSpec:
    """The blocking check of a versioned table."""
    return dg.AssetCheckSpec(
        CHECK_NAME, asset=key_of(table), blocking=True, description="What must hold of every published row."
    )


def judge_published(connection: duckdb.DuckDBPyConnection, table: VersionedTable) -> dg.AssetCheckResult:
    """The check result of a table's current rows."""
    rows = connection.execute(f"select * from {table.current_view_sql_name}").df()
    result = run_suite(rows, PUBLISHED_SUITES[table.full_name](), name=table.full_name)
    return check_result(result, asset_key=key_of(table))
