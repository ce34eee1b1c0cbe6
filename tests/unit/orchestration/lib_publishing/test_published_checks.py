"""Which rows of a versioned table a build judges: those it may have written, and all where its code is new."""

from datetime import timedelta

import duckdb
import pytest

from orchestration.lib.published_checks import judge_published
from orchestration.lib.run_context import begin_build, complete_build
from orchestration.lib.versioned_tables import TRADER_GRADES
from tests.unit.orchestration.lib_publishing.conftest import MONDAY_MORNING, WEEK

IN_REACH, OUT_OF_REACH = WEEK, WEEK - timedelta(weeks=1)
"""The two recorded weeks; a build with corrections of one week reaches the newer one."""


@pytest.fixture
def judged(warehouse, tmp_path):
    """Whether the check holds for a build of some code, once a grade of a week is beyond 100 and code of others has completed."""

    def judge(*, wrong, completed="abc", code="abc", run="run"):
        with duckdb.connect(str(warehouse)) as connection:
            facts = {
                "as_of_week": WEEK,
                "data_source": "simulated",
                "input_cutoff": MONDAY_MORNING,
                "inputs_hash": "in",
            }
            facts |= {"earliest_change": None, "rebuild": None, "version_reason": None, "correction_weeks": 1}
            if completed:
                begin_build(connection, build_id="before", code_version=completed, **facts)
                complete_build(connection, "before")
            connection.execute("update learning.trader_grades set trader_grade = 101 where as_of_week = ?", [wrong])
            build = begin_build(connection, build_id=run, code_version=code, **facts)
            return judge_published(connection, TRADER_GRADES, build, root=tmp_path)

    return judge


def test_weeks_in_reach_of_corrections_are_judged(judged):
    assert not judged(wrong=IN_REACH).passed


def test_rows_that_code_like_this_has_judged_already_are_not_judged_again(judged):
    result = judged(wrong=OUT_OF_REACH)

    assert result.passed
    assert result.metadata["rows"].value == 5


def test_an_old_week_that_the_build_recorded_is_judged(judged):
    assert not judged(wrong=OUT_OF_REACH, run=f"run-{OUT_OF_REACH}").passed


@pytest.mark.parametrize("completed", [None, "of yesterday"])
def test_new_code_judges_every_row(judged, completed):
    assert not judged(wrong=OUT_OF_REACH, completed=completed).passed
