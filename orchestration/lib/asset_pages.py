"""What the page of an asset says before anything ran: grain, columns, where the table lies, and when it is to be fresh.

One function that `definitions.py` applies to every asset, so that a definition need not repeat what follows from its key.

Belongs here: what holds for all assets of a kind. Does not: what a run adds (`metadata.py`), how dbt's nodes read (`dbt_translator.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
import duckdb

from orchestration.lib.dbt_translator import STATES_GRAIN
from orchestration.lib.table_comments import VIEWS, view_descriptions
from orchestration.lib.versioned_layout import create_versioned_tables
from orchestration.lib.versioned_tables import VERSIONED_TABLES
from orchestration.lib.warehouse import create_schemas
from orchestration.lib.warehouse_tables import create_written_tables

WRITTEN_ANEW: Mapping[str, str] = {
    **VIEWS,
    "learning.models": "models",
    "screens.moonshot_outcomes": "moonshot_outcomes",
    "screens.moonshot_record": "moonshot_record",
    "quality.check_results": "check_results",
    "quality.run_rows": "run_rows",
    "quality.run_steps": "run_history",
}
"""The api view over each table that is neither dbt's nor versioned: it says what one row is."""

GRAINS: Mapping[str, str] = {
    "indices.definition_versions": "one row an index and version",
    "indices.methodologies": "one row an index",
    "market.grades": "one row a day",
    "quality.check_results": "one row a run, table, check and column",
}
"""Of tables whose view has another grain, or that have none."""

GRAIN = re.compile(r"Grain - (?P<grain>[^.;]+)")

DAILY = dg.FreshnessPolicy.cron(deadline_cron="0 6 * * *", lower_bound_delta=timedelta(hours=6))
"""Of what lands every day of a live run, whose schedules begin within the first two hours of a UTC day."""

WEEKLY = dg.FreshnessPolicy.cron(deadline_cron="0 6 * * 1", lower_bound_delta=timedelta(hours=6))
"""Of what is built from it on Mondays."""


def completed(manifest: Mapping[str, Any], *, is_live: bool) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """What completes the specification of any asset; what a specification says itself stays.

    Args:
        manifest: dbt's, for the words of the api views.
        is_live: Whether data move with the calendar, so that an asset can be late.
    """
    nodes = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "api"
    }
    columns = columns_of_tables(view_descriptions(manifest))

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = ".".join(spec.key.path)
        metadata: dict[str, Any] = {}
        if name in columns:
            metadata = {"dagster/column_schema": columns[name], "dagster/table_name": name}
        description = spec.description or ""
        grain = GRAINS.get(name) or grain_of(nodes.get(WRITTEN_ANEW.get(name, ""), {}))
        if grain and not STATES_GRAIN.search(description):
            description = f"{description} Grain: {grain}."
        # What lands has its own, since a dataset that no step of the run lands cannot be late.
        is_due = is_live and spec.group_name != "ingestion" and spec.freshness_policy is None
        changes: dict[str, Any] = {"freshness_policy": WEEKLY} if is_due else {}
        return spec.replace_attributes(
            description=description or None, metadata={**metadata, **spec.metadata}, **changes
        )

    return complete


def columns_of_tables(views: Mapping[str, Mapping[str, str]]) -> dict[str, dg.TableSchema]:
    """Columns of the tables that Python writes, by `schema.table`: of an empty warehouse in memory, and those that versioned tables know.

    Args:
        views: Descriptions of the columns of each api view.
    """
    columns: dict[str, list[dg.TableColumn]] = {}
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_written_tables(connection, views)
        create_versioned_tables(connection, tables=())  # their ledger
        for table, name, kind, comment in connection.execute(
            """select schema_name || '.' || table_name, column_name, data_type, comment
            from duckdb_columns() where not internal order by table_oid, column_index"""
        ).fetchall():
            columns.setdefault(table, []).append(dg.TableColumn(name, type=kind, description=comment))
    for versioned in VERSIONED_TABLES:
        columns[versioned.full_name] = [
            dg.TableColumn(name, type=kind, description=versioned.column_descriptions[name])
            for name, kind in versioned.columns.items()
        ]
    return {table: dg.TableSchema(columns=each) for table, each in columns.items()}


def grain_of(node: Mapping[str, Any]) -> str:
    """What one row of an api view is, as its description says after `Grain -`; empty where there is no view."""
    found = GRAIN.search(" ".join(str(node.get("description") or "").split()))
    return found["grain"] if found else ""
