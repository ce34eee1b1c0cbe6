"""Great Expectations at the edge where tables leave: versioned tables and marts, each with a blocking check.

Belongs here: reading the rows, naming the check, the result an asset yields.
Does not: the expectations (`suites_published.py`, `suites_marts.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType

import dagster as dg
import duckdb

from orchestration.lib.data_docs import keep_validation
from orchestration.lib.expectations import run_suite
from orchestration.lib.landing_checks import CHECK_NAME, check_result
from orchestration.lib.metadata import table_metadata
from orchestration.lib.run_context import RunContext
from orchestration.lib.suites_marts import MartTable, mart_suite
from orchestration.lib.suites_published import PUBLISHED_SUITES
from orchestration.lib.versioned_tables import VersionedTable
from orchestration.lib.versions import Appended


def key_of(table: VersionedTable | MartTable) -> dg.AssetKey:
    """Asset key of a published table."""
    return dg.AssetKey([table.schema, table.name])


def published_check_spec(table: VersionedTable) -> dg.AssetCheckSpec:
    """The blocking check of a versioned table."""
    return dg.AssetCheckSpec(
        CHECK_NAME, asset=key_of(table), blocking=True, description="What must hold of every published row."
    )


def judge_published(
    connection: duckdb.DuckDBPyConnection, table: VersionedTable, build: RunContext, *, root: Path
) -> dg.AssetCheckResult:
    """The check result of a table's current rows; it is kept for Data Docs in the data folder `root`.

    Rows do not change once they are recorded. So those of the weeks in reach of corrections are judged and those that the build
    recorded, and all rows where no build of the same code has completed yet: the expectations may be others.
    """
    columns = ", ".join(table.content_columns)
    rows = connection.execute(
        f"""select {columns} from {table.current_view_sql_name} where as_of_week > ? or run_id = ?
        or not exists (select 1 from quality.builds where completed_at is not null and code_version = ?)""",
        [build.oldest_correction, build.build_id, build.code_version],
    ).df()
    result = run_suite(rows, PUBLISHED_SUITES[table.full_name](), name=table.full_name)
    keep_validation(root, result)
    return check_result(result, asset_key=key_of(table))


def published_result(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    appended: Appended,
    build: RunContext,
    *,
    root: Path,
    order_by: str = "",
    where: str = "true",
    plot: dg.MarkdownMetadataValue | None = None,
    further_plots: Mapping[str, dg.MarkdownMetadataValue] = MappingProxyType({}),
    checks: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """What the UI is told of a versioned table that was written: counts, schema, preview, plot, and the blocking check.

    Args:
        connection: The warehouse.
        table: The table.
        appended: What was written.
        build: By which build.
        root: The data folder, where the check is kept for Data Docs.
        order_by: Order of the preview, as `table_metadata` takes it.
        where: Condition on the rows of the preview.
        plot: A picture of the table, where it has one.
        further_plots: More pictures by name.
        checks: Results of further checks.
    """
    shown = table_metadata(connection, f"{table.full_name}_current", order_by=order_by, where=where)
    return dg.MaterializeResult(
        asset_key=key_of(table),
        metadata={**appended.as_metadata(), **shown, **({"plot": plot} if plot else {}), **further_plots},
        check_results=[judge_published(connection, table, build, root=root), *checks],
    )


def mart_check_spec(table: MartTable) -> dg.AssetCheckSpec:
    """The blocking check of a mart; only prices, keys and types block."""
    return dg.AssetCheckSpec(
        CHECK_NAME,
        asset=key_of(table),
        blocking=True,
        description="Types, key and ranges of the newest days, before they leave.",
    )


def judge_mart(
    connection: duckdb.DuckDBPyConnection, table: MartTable, *, as_of: date, root: Path
) -> dg.AssetCheckResult:
    """The check result of a mart's newest days; it is kept for Data Docs in the data folder `root`."""
    rows = connection.execute(f"select * from {table.full_name} where {table.window}", {"as_of": as_of}).pl()
    result = run_suite(rows, mart_suite(table), name=table.full_name)
    keep_validation(root, result)
    return check_result(result, asset_key=key_of(table))
