"""dbt's results as checks that say more than passed or failed: what they hold, the rows they judged, the rows that broke them.

Read from `run_results.json` and the manifest after dbt has ended, when the warehouse may be opened again. A failed test is asked once
more for a few of its rows, by the SQL that dbt compiled; nothing is stored in the warehouse for that.

Belongs here: turning results of dbt into checks. Does not: running dbt (`orchestration/defs/warehouse`), keys and names of nodes
(`dbt_translator.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from orchestration.lib.check_results import COLUMN, CONTRACT, HOLDS, ROWS, SAMPLE, SEVERITY
from orchestration.lib.dbt_translator import words_of_test
from orchestration.lib.expectations import plain
from orchestration.lib.metadata import markdown_table
from orchestration.lib.sql_quoting import table_quoted
from orchestration.lib.warehouse import count_rows

SHOWN_ROWS = 10
RUN_RESULTS = "run_results.json"


def read_run_results(target: Path) -> dict[str, dict[str, Any]]:
    """Results of the dbt run that ended last, by node; empty where it ended before it ran anything."""
    path = target / RUN_RESULTS
    if not path.exists():
        return {}
    return {str(result["unique_id"]): result for result in json.loads(path.read_text())["results"]}


def described_check(
    connection: duckdb.DuckDBPyConnection,
    check: dg.AssetCheckResult,
    *,
    nodes: Mapping[str, Any],
    results: Mapping[str, Any],
    row_counts: dict[str, int],
) -> dg.AssetCheckResult:
    """A test's check with what it holds, how many rows it judged and, where it failed, some of those that broke it.

    Args:
        connection: The warehouse.
        check: The check as dagster-dbt makes it.
        nodes: Nodes of the manifest.
        results: Results of the run by node.
        row_counts: Rows of tables counted so far, `schema.name` to count; grows.
    """
    unique_id = check.metadata["unique_id"].value if "unique_id" in check.metadata else None
    test = nodes.get(str(unique_id))
    if test is None:
        return check
    result = results.get(str(unique_id), {})
    more: dict[str, Any] = {
        HOLDS: words_of_test(test),
        SEVERITY: "error" if str(test["config"].get("severity") or "error").lower() == "error" else "warning",
    }
    if test.get("column_name"):
        more[COLUMN] = test["column_name"]
    if not check.passed and result.get("message"):
        more["message"] = result["message"]
    tested = nodes.get(str(test.get("attached_node")))
    if tested is not None and result.get("status") in ("pass", "fail", "warn"):
        name = f"{tested['schema']}.{tested['name']}"
        if name not in row_counts:
            row_counts[name] = count_rows(connection, table_quoted(name))
        more[ROWS] = row_counts[name]
    if result.get("status") in ("fail", "warn") and result.get("compiled_code"):
        rows = connection.sql(f"select * from (\n{result['compiled_code']}\n) limit {SHOWN_ROWS}").pl()
        more["offending rows"] = dg.MetadataValue.md(markdown_table(rows))
        more[SAMPLE] = dg.MetadataValue.json(
            [{name: plain(value) for name, value in row.items()} for row in rows.to_dicts()]
        )
    return dg.AssetCheckResult(
        passed=check.passed,
        asset_key=check.asset_key,
        check_name=check.check_name,
        severity=check.severity,
        description=check.description,
        metadata={**check.metadata, **more},
    )


def contract_checks(
    nodes: Mapping[str, Any], results: Mapping[str, Any], key_of: Any
) -> Iterator[dg.AssetCheckEvaluation]:
    """A check for every model with an enforced contract that was built: names, types and constraints of its columns.

    They have no specification, so the UI shows them in the log of a run only: dbt refuses to build a model that breaks its
    contract, which fails the step anyway.
    """
    for unique_id, result in results.items():
        node = nodes.get(unique_id, {})
        if not node.get("contract", {}).get("enforced") or result["status"] == "skipped":
            continue
        is_built = result["status"] == "success"
        facts: dict[str, Any] = {
            HOLDS: f"names, types and constraints of {len(node['columns'])} columns",
            SEVERITY: "error",
        }
        if not is_built:
            facts["message"] = str(result.get("message"))
        yield dg.AssetCheckEvaluation(
            asset_key=key_of(node),
            check_name=CONTRACT,
            passed=is_built,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={name: dg.MetadataValue.text(str(value)) for name, value in facts.items()},
        )
