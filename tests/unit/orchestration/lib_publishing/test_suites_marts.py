"""Suites of marts are made from dbt's manifest: what they hold of a frame, and that none of what is published is without one."""

import json
from datetime import date

import polars as pl
import pytest

from orchestration.lib.expectations import run_suite
from orchestration.lib.market_tables import TABLES as MARKET_TABLES
from orchestration.lib.suites_landing import LANDING_SUITES
from orchestration.lib.suites_marts import MartTable, mart_suite, mart_tables
from orchestration.lib.suites_published import PUBLISHED_SUITES
from orchestration.lib.versioned_tables import VERSIONED_TABLES
from orchestration.settings import REPOSITORY_ROOT
from orchestration.sources.datasets import DATASETS

MANIFEST = REPOSITORY_ROOT / "dbt_project" / "target" / "manifest.json"
WRITTEN_BY_CHECKS = {"source_health", "source_coverage", "check_results"}
"""Tables that hold the results of checks: they are what the checks say, not what is checked."""

TABLE = MartTable(
    schema="marts",
    name="fct_daily",
    types={
        **{"token_id": "varchar", "market_date": "date", "price_usd": "double", "age_days": "integer"},
        **{"top_share": "float", "net_flow_usd": "double", "is_carried": "boolean"},
    },
    descriptions={
        **{"token_id": "Token.", "market_date": "Day.", "price_usd": "Close in USD.", "age_days": "Days."},
        **{"top_share": "Share of the supply, 0-1.", "net_flow_usd": "In less out, in USD.", "is_carried": "Whether."},
    },
    key=("token_id", "market_date"),
    required=frozenset({"token_id", "market_date"}),
)


@pytest.fixture
def rows():
    days = [date(2025, 1, 1), date(2025, 1, 2)]
    return pl.DataFrame(
        {
            **{"token_id": ["a", "a"], "market_date": days, "price_usd": [1.0, 2.0], "age_days": [0, 1]},
            **{"top_share": [0.5, None], "net_flow_usd": [-5.0, 5.0], "is_carried": [False, None]},
        },
        schema_overrides={"top_share": pl.Float32},
    )


def broken(frame):
    result = run_suite(frame, mart_suite(TABLE), name="marts.fct_daily")
    return {(each.column, each.severity) for each in result.failures}


def test_rows_as_the_contract_has_them_pass(rows):
    assert broken(rows) == set()


def test_a_table_without_a_row_passes(rows):
    assert broken(rows.head(0)) == set()


@pytest.mark.parametrize(
    ("column", "values", "severity"),
    [
        ("price_usd", [0.0, 1.0], "critical"),
        ("top_share", [1.2, 0.1], "warning"),
        ("age_days", [-1, 3], "warning"),
        ("token_id", [None, "a"], "critical"),
    ],
)
def test_a_value_outside_of_what_its_unit_promises_is_found(rows, column, values, severity):
    assert broken(rows.with_columns(pl.Series(column, values))) == {(column, severity)}


def test_a_key_that_stands_twice_blocks(rows):
    assert broken(pl.concat([rows, rows.head(1)])) == {("token_id, market_date", "critical")}


def test_a_column_of_another_type_or_none_is_named(rows):
    result = run_suite(
        rows.with_columns(pl.col("age_days").cast(pl.String)).drop("is_carried"),
        mart_suite(TABLE),
        name="marts.fct_daily",
    )

    found = next(each for each in result.failures if each.column == "columns_of_wrong_type")
    assert found.severity == "critical"
    assert found.sample[0]["columns_of_wrong_type"] == "age_days is str, is_carried is missing"


def test_every_dataset_that_lands_has_a_suite():
    assert {dataset.label for dataset in DATASETS.values()} - set(LANDING_SUITES) == set()


def test_every_versioned_table_has_a_suite():
    assert {table.full_name for table in VERSIONED_TABLES} == set(PUBLISHED_SUITES)


@pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")
def test_every_view_of_the_sql_interface_reads_only_tables_with_a_suite():
    manifest = json.loads(MANIFEST.read_text())
    nodes, sources = manifest["nodes"], manifest["sources"]
    checked = {table.full_name for table in mart_tables(manifest)} | {f"{name}_current" for name in PUBLISHED_SUITES}
    # Tables written anew every run: from files that were checked when they were read, or from versions that were.
    written_anew = {"indices.definitions", "indices.net_levels", "indices.statistics", "learning.models"}
    written_anew |= {"indices.paper_portfolios"}
    written_anew |= {
        f"indices.{name}" for name in ("capacity", "start_dates", "plans", "methodologies", "pro_forma", "insurance")
    }
    written_anew |= {f"market.{name}" for name in MARKET_TABLES}
    written_anew |= {"screens.moonshot_outcomes", "screens.moonshot_record"}
    written_anew |= {"indices.definition_versions"}  # grows, by what was checked when the files were read
    written_anew |= {"quality.unit_versions"}  # the ledger: every manifest signs its rows
    written_anew |= {"quality.run_rows", "quality.run_steps"}  # what Dagster recorded of the runs
    checked |= {f"quality.{name}" for name in WRITTEN_BY_CHECKS} | written_anew
    views = [node for node in nodes.values() if node["resource_type"] == "model" and node["schema"] == "api"]

    read = {
        f"{parent['schema']}.{parent['name']}"
        for view in views
        for parent in (nodes.get(each) or sources[each] for each in view["depends_on"]["nodes"])
        if parent["schema"] != "api"
    }

    assert read - checked == set()


@pytest.mark.skipif(not MANIFEST.exists(), reason="no manifest; make test parses the dbt project first")
def test_every_mart_that_dbt_builds_has_a_blocking_check():
    from orchestration.defs.warehouse.assets import published_marts

    manifest = json.loads(MANIFEST.read_text())
    built = {
        (node["schema"], node["name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] in ("marts", "quality")
    }

    assert {tuple(spec.asset_key.path) for spec in published_marts.check_specs} == built
    assert all(spec.blocking for spec in published_marts.check_specs)
