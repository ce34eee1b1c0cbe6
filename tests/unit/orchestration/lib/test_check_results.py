"""The history of checks, copied from Dagster's event log: what a row says of which check, and that none is lost or doubled."""

import json
from datetime import date

import dagster as dg
import duckdb
import pandas as pd
import pytest

from orchestration.lib.check_results import create_check_results, record_checks
from orchestration.lib.expectations import ExpectationSpec, run_suite
from orchestration.lib.landing_checks import CHECK_NAME, check_result
from orchestration.lib.run_context import BUILDS
from orchestration.settings import REPOSITORY_ROOT

PRICES = dg.AssetKey(["landing", "coingecko", "market_daily"])
DAILY = dg.AssetKey(["marts", "fct_daily"])
SUITE = [
    ExpectationSpec("expect_column_values_to_not_be_null", "token"),
    ExpectationSpec("expect_column_values_to_be_between", "price", {"min_value": 0}),
    ExpectationSpec("expect_column_values_to_be_between", "price", {"max_value": 5}, severity="warning"),
]


@dg.multi_asset(
    specs=[dg.AssetSpec(PRICES), dg.AssetSpec(DAILY)],
    check_specs=[
        dg.AssetCheckSpec(CHECK_NAME, asset=PRICES),
        dg.AssetCheckSpec("source_answered", asset=PRICES),
        dg.AssetCheckSpec("rows_hold_fct_daily", asset=DAILY),
    ],
)
def checked(context: dg.AssetExecutionContext):
    frame = pd.DataFrame({"token": ["a", "b"], "price": [-1.0, 9.0]})
    suite = check_result(run_suite(frame, SUITE, name="prices"), asset_key=PRICES)
    answered = dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        asset_key=PRICES,
        check_name="source_answered",
        metadata={"failed": 3, "reason": "HTTP 503"},
    )
    held = dg.AssetCheckResult(
        passed=True,
        asset_key=DAILY,
        check_name="rows_hold_fct_daily",
        metadata={
            **{"unique_id": "test.tidemark.rows_hold_fct_daily", "dagster_dbt/failed_row_count": 0},
            **{"holds": "rows hold: price_usd > 0", "severity": "error", "rows": 1200},
        },
    )
    yield dg.MaterializeResult(asset_key=PRICES, check_results=[suite, answered])
    yield dg.MaterializeResult(asset_key=DAILY, check_results=[held])
    context.log_event(dg.AssetCheckEvaluation(DAILY, "contract", passed=True, metadata={"holds": "12 columns"}))


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema quality")
        connection.execute(BUILDS)
        yield connection


def run(instance):
    return dg.materialize([checked], instance=instance, raise_on_error=False).run_id


def rows_of(warehouse, where="true"):
    return warehouse.execute(
        f"""select tier, table_name, check_name, column_name, severity, is_passed, rows_checked, rows_failed
        from quality.check_results where {where} order by all"""
    ).fetchall()


def test_every_check_is_a_row_and_every_expectation_of_a_suite_one(instance, warehouse):
    recorded = record_checks(warehouse, instance, run(instance))

    prices, between = "raw.coingecko__market_daily", "expect_column_values_to_be_between"
    assert recorded == 6
    assert rows_of(warehouse) == [
        ("dbt", "marts.fct_daily", "contract", None, "error", True, None, None),
        ("dbt", "marts.fct_daily", "rows_hold_fct_daily", None, "error", True, 1200, 0),
        ("great_expectations", prices, between, "price", "error", False, 2, 1),
        ("great_expectations", prices, f"{between}_2", "price", "warning", False, 2, 1),
        ("great_expectations", prices, "expect_column_values_to_not_be_null", "token", "error", True, 2, 0),
        ("python", prices, "source_answered", None, "warning", False, None, None),
    ]


def test_what_failed_says_why_and_shows_rows(instance, warehouse):
    record_checks(warehouse, instance, run(instance))

    details = dict(
        warehouse.execute("select check_name, detail from quality.check_results where not is_passed").fetchall()
    )
    samples = [
        json.loads(text)
        for (text,) in warehouse.execute(
            "select offending_rows from quality.check_results where tier = 'great_expectations' and not is_passed order by check_name"
        ).fetchall()
    ]

    assert details["source_answered"] == "failed: 3; reason: HTTP 503"
    assert details["expect_column_values_to_be_between"] == "1 of 2 rows break it (min_value 0)"
    assert samples == [[{"token": "a", "price": -1.0}], [{"token": "b", "price": 9.0}]]


def test_a_run_recorded_again_has_each_check_once_and_others_stay(instance, warehouse):
    first, second = run(instance), run(instance)

    record_checks(warehouse, instance, first)
    record_checks(warehouse, instance, second)
    record_checks(warehouse, instance, second)

    counts = warehouse.execute("select run_id, count(*) from quality.check_results group by all").fetchall()
    assert dict(counts) == {first: 6, second: 6}


def test_a_run_that_was_killed_is_caught_up_by_the_next(instance, warehouse):
    killed = run(instance)
    week = date(2025, 1, 6)
    warehouse.execute(
        """insert into quality.builds (build_id, as_of_week, data_source, input_cutoff, inputs_hash, code_version, started_at)
        values (?, ?, 'simulated', now(), '', '', now())""",
        [killed, week],
    )

    record_checks(warehouse, instance, run(instance))

    weeks = warehouse.execute(
        "select run_id = ?, as_of_week, count(*) from quality.check_results group by all", [killed]
    )
    assert sorted(weeks.fetchall(), key=str) == [(False, None, 6), (True, week, 6)]


def test_columns_of_the_table_say_what_they_hold(warehouse):
    create_check_results(warehouse)

    silent = warehouse.execute(
        "select column_name from duckdb_columns() where table_name = 'check_results' and comment is null"
    ).fetchall()

    assert silent == []


def test_the_view_shows_of_each_check_the_newest_result_alone(instance, warehouse):
    view = (REPOSITORY_ROOT / "dbt_project" / "models" / "api" / "check_results.sql").read_text()
    record_checks(warehouse, instance, run(instance))
    newest = run(instance)
    record_checks(warehouse, instance, newest)

    shown = warehouse.execute(view.replace("{{ source('quality', 'check_results') }}", "quality.check_results")).pl()

    assert shown.height == 6
    assert set(shown["run_id"]) == {newest}
