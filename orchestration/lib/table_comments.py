"""Comments on the tables that runs write anew: of every column what the api view over the table says of it.

Belongs here: which view stands over which table, words for the columns that no view shows, making a table that brings its words along.
Does not: comments of versioned tables (`versioned_layout.py`) and of what dbt builds (its persist_docs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.versioned_layout import transaction

VIEWS: Mapping[str, str] = {
    "indices.definitions": "indices",
    "indices.methodologies": "index_methodology",
    "indices.pro_forma": "index_pro_forma",
    "indices.insurance": "index_insurance",
    "indices.net_levels": "index_net_levels",
    "indices.statistics": "index_statistics",
    "indices.capacity": "index_capacity",
    "indices.start_dates": "index_start_dates",
    "indices.plans": "index_plans",
    "indices.paper_portfolios": "paper_portfolios",
    "market.bull_bear": "bull_bear_daily",
    "market.signal": "market_signal",
    "market.calls": "market_calls",
    "market.regime": "market_regime",
    "market.regime_models": "market_regime_models",
    "market.grades": "market_metrics",
    "quality.source_coverage": "source_coverage",
    "quality.source_health": "source_health",
}
"""The api view over each table; both name a column alike, but for `market_date`, which api calls `date`."""

UNSHOWN: Mapping[str, Mapping[str, str]] = {
    "market.grades": {"graded_tokens": "Tokens with a Trader Grade on the day."},
    "indices.methodologies": {
        "twin": "Index with the same universe and ceiling and no model that it is set against; null where there is none.",
        "base_level": "Level at the base, index points.",
        "undated_inputs": "Inputs that are hindsight in this index's history, in words; null where there are none.",
    },
    "indices.definition_versions": {
        "index_id": "Index that is defined.",
        "version": "Number of the definition, major.minor.",
        "first_week": "Monday of the first week that was built with it.",
        "recorded_at": "Instant it was recorded.",
        "run_id": "Run that recorded it.",
        "code_version": "Version of the code of that run.",
        "content_hash": "SHA-256 of the values as they are understood, defaults included.",
        "definition_yaml": "The definition as it could be written, YAML.",
        "values_json": "All its values, JSON.",
        "changes": "What changed against the version before, a JSON list of sentences.",
    },
}
"""Columns that no view shows under their name."""


def create_described_table(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, tuple[str, str]]
) -> None:
    """Make a table where it is missing, with what its columns say.

    Args:
        connection: The warehouse with its schemas, open for writing.
        table: `schema.name`.
        columns: Type and meaning of each column, by name.
    """
    layout = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    connection.execute(f"create table if not exists {table} ({layout})")
    for name, (_, meaning) in columns.items():
        connection.execute(f"comment on column {table}.{name} is {sql_text(meaning)}")


def view_descriptions(manifest: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What dbt's manifest says of the columns of each api view."""
    return {
        node["name"]: {name: str(column["description"]) for name, column in node["columns"].items()}
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "api"
    }


def told_of(table: str, views: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is said of the columns of a table that runs write anew, by column.

    Args:
        table: `schema.name`.
        views: Descriptions of the columns of each api view (`view_descriptions`).
    """
    told = dict(views.get(VIEWS.get(table, ""), {}))
    if "date" in told:
        told.setdefault("market_date", told["date"])
    return told | dict(UNSHOWN.get(table, {}))


def comment_tables(connection: duckdb.DuckDBPyConnection, views: Mapping[str, Mapping[str, str]]) -> None:
    """Comment the columns of the tables that exist, for the UI and for readers of the published copy.

    Args:
        connection: The warehouse, open for writing.
        views: Descriptions of the columns of each api view (`view_descriptions`).
    """
    with transaction(connection):
        for table in sorted({*VIEWS, *UNSHOWN}):
            told = told_of(table, views)
            columns = connection.execute(
                "select column_name, comment from duckdb_columns() where schema_name = ? and table_name = ?",
                table.split("."),
            ).fetchall()
            for column, comment in columns:
                if column in told and comment != told[column]:
                    connection.execute(f'comment on column {table}."{column}" is {sql_text(told[column])}')
