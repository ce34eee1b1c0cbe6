"""The drill of the weeks: what it calls a problem, and the page it writes."""

from dataclasses import replace

import pytest

from tests.soak.report import Week, growth, page_of, problems_of

SIZES = {"landing_mb": 20.0, "warehouse_mb": 300.0, "published_mb": 200.0, "models_mb": 25.0, "dagster_mb": 10.0}
GOOD = Week(
    **{
        "week": "2025-01-13",
        "runs": 1,
        "publications": 1,
        "seconds": 90.0,
        "processor_seconds": 120.0,
        "steps": 60,
        "steps_failed": 0,
        "ingestions": 6,
    },
    **{
        "versions": 70,
        "repeated": 0,
        "origins": "published",
        "chain": "",
        "memory_mb": 900.0,
        "log_mb": 0.5,
        "landing_files": 900,
    },
    **SIZES,
)


def test_a_week_that_was_published_once_by_one_run_is_no_problem():
    assert problems_of([GOOD, GOOD]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"runs": 2},
        {"runs": 0},
        {"publications": 0},
        {"publications": 2},
        {"steps_failed": 1},
        {"versions": 0},
        {"repeated": 3},
        {"origins": "backfilled"},
        {"chain": "000002.json was changed"},
        {"report_gaps": ["index.html links gone.html"]},
    ],
)
def test_whatever_else_a_week_was_is_named_with_it(change):
    (problem,) = problems_of([GOOD, replace(GOOD, week="2025-01-20", **change)])

    assert problem.startswith("2025-01-20: ")


def test_growth_is_the_slope_of_a_line_through_the_weeks():
    assert growth([5.0, 7.0, 9.0, 11.0]) == pytest.approx(2.0)
    assert growth([5.0]) == 0.0


def test_the_page_counts_weeks_and_has_a_row_for_each():
    page = page_of([GOOD, replace(GOOD, week="2025-01-20", warehouse_mb=310.0)])

    assert "**2 of 2 weeks published, each by one run and once; 0 problems.**" in page
    assert "warehouse +10.00" in page
    assert page.count("| 2025-01-") == 2
