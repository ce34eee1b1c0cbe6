"""Figures of the page that holds replicas against published levels."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.replica_report import BAD_DAYS, Comparison, compare, correlation

FIRST = date(2020, 1, 1)


def levels(returns, **columns):
    dates = [FIRST + timedelta(days=day) for day in range(len(returns))]
    return pl.DataFrame({"date": dates, "level": 100 * np.exp(np.cumsum(returns))}).with_columns(
        **{name: pl.lit(value) for name, value in columns.items()}
    )


def figures(ours, theirs, asked, **fields):
    comparison = Comparison("mine", "CCI30", FIRST, date(2020, 12, 31), asked, **fields)
    return compare(comparison, ours, theirs.with_columns(index_id=pl.lit("CCI30"))).rows_by_key(
        "frequency", named=True, unique=True
    )


@pytest.fixture
def returns():
    return np.random.default_rng(1).normal(0, 0.04, 366)


def test_a_perfect_replica_has_a_correlation_of_one_and_no_error(returns):
    row = figures(levels(returns), levels(returns), {"daily": 0.98, "weekly": 0.99})

    assert row["daily"]["correlation"] == pytest.approx(1.0)
    assert row["weekly"]["correlation"] == pytest.approx(1.0)
    assert row["daily"]["tracking_error"] == pytest.approx(0.0, abs=1e-12)
    assert row["daily"]["returns"] == 365
    assert "monthly" not in row


def test_correlation_and_tracking_error_are_those_of_log_returns(returns):
    noise = np.random.default_rng(2).normal(0, 0.01, 366)
    row = figures(levels(returns + noise), levels(returns), {"daily": 0.98}, most_tracking_error=0.2)["daily"]

    assert row["correlation"] == pytest.approx(np.corrcoef((returns + noise)[1:], returns[1:])[0, 1])
    assert row["tracking_error"] == pytest.approx(noise[1:].std(ddof=1) * np.sqrt(365))
    assert row["low"] < row["correlation"] < row["high"]
    assert (row["asked"], row["most_tracking_error"]) == (0.98, 0.2)


def test_a_bad_published_day_costs_correlation_and_its_absence_is_told_apart(returns):
    spoilt = returns.copy()
    day = (BAD_DAYS["CCI30"][3] - FIRST).days
    spoilt[day] += 0.5
    spoilt[day + 1] -= 0.5

    row = figures(levels(returns), levels(spoilt), {"daily": 0.98})["daily"]

    assert row["correlation"] < 0.9
    assert row["without_bad_days"] == pytest.approx(1.0)


def test_the_correlation_of_a_resample_is_that_of_the_rows_it_repeats(returns):
    pairs = np.column_stack([returns, returns + np.random.default_rng(3).normal(0, 0.02, 366)])
    counts = np.random.default_rng(4).integers(0, 3, size=(2, 366)).astype(float)

    measured = correlation(pairs)(counts)

    for row, expected in zip(counts, measured, strict=True):
        repeated = np.repeat(pairs, row.astype(int), axis=0)
        assert np.corrcoef(repeated.T)[0, 1] == pytest.approx(expected)
