"""What a build leaves behind for the next one, and which weeks of a table it computes."""

from datetime import UTC, date, datetime

import duckdb
import pytest

from orchestration.lib.run_context import RunContext, begin_build, complete_build, first_unfinished_day
from orchestration.lib.warehouse import create_schemas
from orchestration.lib.weeks import mondays

WEEK, WENT_BACK_TO = date(2025, 1, 6), date(2024, 3, 1)
NOON = datetime(2025, 1, 6, 12, tzinfo=UTC)
FIRST = date(2024, 10, 7)
RECORDED = set(mondays(FIRST, date(2024, 12, 30)))


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


def context(**facts):
    of_any = {"changed_from": date(2024, 12, 30), "rebuild_from": None, "rebuild_to": None, "version_reason": None}
    return RunContext(
        "id", WEEK, "simulated", NOON, "in", "abc", **(of_any | facts), correction_weeks=8, recorded_at=NOON
    )


@pytest.mark.parametrize(
    ("facts", "recorded", "expected"),
    [
        ({"changed_from": None}, set(), mondays(FIRST, WEEK)),
        ({}, RECORDED, [WEEK]),
        ({}, RECORDED | {WEEK}, [WEEK]),
        ({}, RECORDED - {date(2024, 10, 21)}, [date(2024, 10, 21), WEEK]),
        ({"changed_from": date(2024, 12, 18)}, RECORDED, [date(2024, 12, 23), date(2024, 12, 30), WEEK]),
        ({"changed_from": date(2024, 12, 23)}, RECORDED, [date(2024, 12, 30), WEEK]),
        ({"changed_from": date(2024, 1, 3)}, RECORDED, mondays(date(2024, 11, 18), WEEK)),
        (
            {"rebuild_from": date(2024, 10, 15), "rebuild_to": date(2024, 10, 28)},
            RECORDED,
            [date(2024, 10, 21), date(2024, 10, 28), WEEK],
        ),
    ],
    ids=[
        "a first build computes all",
        "the next one the new week",
        "the same one again its newest",
        "a missing week is filled",
        "a late fact changes the weeks after it",
        "a fact of a Monday is of its week",
        "an old one those in reach",
        "a rebuild those asked for",
    ],
)
def test_a_build_computes_what_is_missing_what_a_late_fact_may_change_and_what_is_asked_for(facts, recorded, expected):
    assert context(**facts).weeks_to_build(FIRST, recorded) == expected


def test_versions_say_why_they_were_recorded_and_those_of_a_rebuild_what_it_was_asked_for():
    asked = context(version_reason="the feed was wrong")

    assert context().provenance("correction").version_reason == "correction"
    assert asked.provenance("correction").version_reason == "the feed was wrong"
    assert (context().reason_for_new(), context(changed_from=None).reason_for_new()) == ("scheduled", "backfill")
