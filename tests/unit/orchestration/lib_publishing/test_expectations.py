import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from orchestration.lib.expectations import ExpectationSpec, ExpectationSpecError, run_suite

ROOT = Path(__file__).parents[4]
POSITIVE = ExpectationSpec("expect_column_values_to_be_between", "price", {"min_value": 0}, severity="warning")
KNOWN = ExpectationSpec("expect_column_values_to_not_be_null", "token")
UNIQUE = ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": ["token", "day"]})


@pytest.fixture
def prices() -> pd.DataFrame:
    days = pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-02"])
    return pd.DataFrame({"token": ["a", None, "c"], "day": days, "price": [1.0, -2.0, float("nan")]}, index=[7, 7, 7])


def test_results_come_in_the_order_of_the_suite_with_counts_and_offending_rows(prices):
    result = run_suite(prices, [POSITIVE, KNOWN, UNIQUE], name="prices")

    assert [r.expectation for r in result.results] == [POSITIVE.expectation, KNOWN.expectation, UNIQUE.expectation]
    assert [r.success for r in result.results] == [False, False, True]
    assert [r.unexpected_count for r in result.results] == [1, 1, 0]
    assert [r.column for r in result.results] == ["price", "token", "token, day"]
    assert result.results[0].sample == ({"token": None, "day": "2025-01-02T00:00:00", "price": -2.0},)
    assert result.results[0].detail == "1 of 3 rows break it (min_value 0)"
    assert (result.success, result.is_blocking, result.rows) == (False, True, 3)


def test_warnings_alone_do_not_block(prices):
    result = run_suite(prices, [POSITIVE], name="prices")

    assert (result.success, result.is_blocking) == (False, False)


def test_the_sample_is_limited():
    frame = pd.DataFrame({"price": [-1.0] * 1000})

    (result,) = run_suite(frame, [POSITIVE], name="prices", sample_rows=3).results

    assert (result.unexpected_count, len(result.sample)) == (1000, 3)


def test_metadata_is_json(prices):
    metadata = run_suite(prices, [POSITIVE, KNOWN, UNIQUE], name="prices").as_metadata()

    assert json.loads(json.dumps(metadata, allow_nan=False))["failed"] == 2


def test_a_missing_column_fails_with_the_reason_in_one_line(prices):
    (result,) = run_suite(prices, [ExpectationSpec("expect_column_values_to_not_be_null", "volume")], name="p").results

    assert (result.success, result.unexpected_count) == (False, None)
    assert "volume" in result.detail
    assert "\n" not in result.detail


def test_a_column_can_be_derived_and_the_frame_stays_as_it_was(prices):
    doubled = ExpectationSpec(
        "expect_column_values_to_be_between", "doubled", {"min_value": -3}, derive=lambda rows: rows["price"] * 2
    )

    (result,) = run_suite(prices, [doubled], name="prices").results

    assert result.sample[0]["doubled"] == -4.0
    assert list(prices.columns) == ["token", "day", "price"]
    assert list(prices.index) == [7, 7, 7]


def test_a_derived_column_whose_input_is_missing_fails_like_any_missing_column(prices):
    derived = ExpectationSpec("expect_column_values_to_not_be_null", "share", derive=lambda rows: rows["volume"])

    (result,) = run_suite(prices, [derived], name="prices").results

    assert not result.success
    assert "could not be evaluated" in result.detail


def test_polars_frames_are_taken_too():
    result = run_suite(pl.DataFrame({"price": [1.0, None, -1.0]}), [POSITIVE], name="prices")

    assert result.results[0].unexpected_count == 1


@pytest.mark.parametrize(
    "spec",
    [
        ExpectationSpec("expect_the_moon", "price"),
        ExpectationSpec("expect_column_values_to_be_in_set", "price", {"what": 1}),
    ],
)
def test_a_suite_that_cannot_be_built_says_which_expectation(prices, spec):
    with pytest.raises(ExpectationSpecError, match=spec.expectation):
        run_suite(prices, [spec], name="prices")


def test_an_empty_suite_holds(prices):
    assert run_suite(prices, [], name="nothing").success


def test_running_is_quiet_and_importing_is_cheap():
    program = """
import sys, pandas as pd
from orchestration.lib.expectations import ExpectationSpec, run_suite
import orchestration.lib.suites_landing, orchestration.lib.suites_published
assert "great_expectations" not in sys.modules
run_suite(pd.DataFrame({"a": [1]}), [ExpectationSpec("expect_column_values_to_not_be_null", "b")], name="x")
"""

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, env={"PYTHONPATH": str(ROOT)}, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
