"""What a build leaves behind for the next one."""

from datetime import UTC, date, datetime

import duckdb
import pytest

from orchestration.lib.run_context import begin_build, complete_build, first_unfinished_day
from orchestration.lib.warehouse import create_schemas

WEEK, WENT_BACK_TO = date(2025, 1, 6), date(2024, 3, 1)


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_schemas(connection)
        yield connection


def begin(connection, build_id):
    begin_build(
        connection,
        build_id=build_id,
        as_of_week=WEEK,
        data_source="simulated",
        input_cutoff=datetime(2025, 1, 6, tzinfo=UTC),
        inputs_hash="",
        code_version="",
        earliest_change=None,
        rebuild=None,
        version_reason=None,
        correction_weeks=8,
    )


def test_a_build_that_did_not_complete_tells_how_far_its_models_went_back(warehouse):
    begin(warehouse, "killed")
    assert first_unfinished_day(warehouse) is None  # before dbt began

    warehouse.execute("create table intermediate.rebuilt_days (node varchar, rebuilt_from date)")
    warehouse.execute("insert into intermediate.rebuilt_days values (null, ?), ('m', ?)", [WEEK, WENT_BACK_TO])

    assert first_unfinished_day(warehouse) == WENT_BACK_TO


def test_a_completed_build_tells_nothing(warehouse):
    assert first_unfinished_day(warehouse) is None

    begin(warehouse, "done")
    warehouse.execute("create table intermediate.rebuilt_days as select 'm' as node, date '2024-03-01' as rebuilt_from")
    complete_build(warehouse, "done")

    assert first_unfinished_day(warehouse) is None
