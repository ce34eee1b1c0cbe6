"""Intervals: Newey-West as statsmodels has it, bootstraps against their theory, and coverage on a series of known mean."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.evaluation.hac import linear_fit, long_run_covariance
from models_ml.learning.evaluation.intervals import (
    bootstrap_interval,
    hac_mean_interval,
    mean_interval,
    paired_difference,
    ratio_of_totals,
    summarise_weekly,
    with_cumulative_mean,
)
from models_ml.learning.evaluation.resampling import block_weeks, resampled_counts

START = dt.date(2020, 1, 6)


def weekly(values, **columns):
    weeks = [START + dt.timedelta(weeks=number) for number in range(len(values))]
    return pl.DataFrame({"as_of_week": weeks, "value": pl.Series(values, dtype=pl.Float64), **columns})


def overlapping(rng, weeks, horizon):
    """A moving sum of noise: what a weekly figure with overlapping outcomes looks like, of mean 0."""
    return np.convolve(rng.normal(0, 1, weeks + horizon - 1), np.ones(horizon), mode="valid")


@pytest.mark.parametrize(("horizon_days", "weeks"), [(1, 2), (7, 2), (14, 2), (15, 3), (30, 5), (90, 13)])
def test_a_block_is_as_long_as_the_horizon_and_never_below_a_fortnight(horizon_days, weeks):
    assert block_weeks(horizon_days) == weeks


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), periods=st.integers(30, 90), lags=st.integers(0, 8))
def test_a_regression_has_the_newey_west_errors_of_statsmodels(seed, periods, lags):
    rng = np.random.default_rng(seed)
    regressors = np.column_stack([np.ones(periods), rng.normal(0, 1, (periods, 3))])
    outcome = regressors @ [0.1, 1.0, -0.5, 0.0] + overlapping(rng, periods, 4)

    fit = linear_fit(outcome, regressors, lags=lags)

    oracle = sm.OLS(outcome, regressors).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True})
    assert fit.coefficients == pytest.approx(oracle.params, abs=1e-10)
    assert fit.errors == pytest.approx(oracle.bse, rel=1e-8)
    assert fit.r_squared == pytest.approx(oracle.rsquared, abs=1e-10)


def test_the_newey_west_interval_of_a_mean_is_that_of_statsmodels():
    series = overlapping(np.random.default_rng(1), 120, 2) + 0.3

    interval = hac_mean_interval(series, lags=3, level=0.9)

    oracle = sm.OLS(series, np.ones(120)).fit(cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True})
    assert interval.estimate == pytest.approx(series.mean())
    assert (interval.low, interval.high) == pytest.approx(tuple(oracle.conf_int(alpha=0.1)[0]))


def test_the_long_run_covariance_is_the_weighted_sum_written_out():
    moments = np.random.default_rng(2).normal(0, 1, (12, 2))

    covariance = long_run_covariance(moments, lags=2)

    slow = np.zeros((2, 2))
    for first in range(12):
        for second in range(12):
            weight = max(0.0, 1 - abs(first - second) / 3)
            slow += weight * np.outer(moments[first], moments[second])
    assert covariance == pytest.approx(slow)


@pytest.mark.parametrize("kind", ["moving", "stationary"])
@given(weeks=st.integers(4, 60), block=st.integers(1, 4), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_every_resample_is_as_long_as_the_series_and_repeats_by_seed(kind, weeks, block, seed):
    counts = resampled_counts(weeks, block=block, draws=20, seed=seed, kind=kind)

    assert counts.shape == (20, weeks)
    assert (counts.sum(axis=1) == weeks).all()
    assert (counts == resampled_counts(weeks, block=block, draws=20, seed=seed, kind=kind)).all()


def test_moving_blocks_are_whole_runs_of_neighbouring_weeks():
    counts = resampled_counts(12, block=12, draws=5, seed=3, kind="moving")

    assert (counts == 1).all()


def test_the_stationary_bootstrap_has_the_variance_that_politis_and_romano_derive():
    # Politis, Romano (1994), eq. 9: variance of the resampled mean, with circular autocovariances C and p = 1 / block, is
    # (C(0) + 2 sum over i of ((1 - i/n) (1-p)^i) C(i)) / n.
    series = overlapping(np.random.default_rng(4), 40, 3)
    count, block = len(series), 4
    centred = series - series.mean()
    circular = [float((centred * np.roll(centred, -lag)).mean()) for lag in range(count)]
    kept = [(1 - lag / count) * (1 - 1 / block) ** lag for lag in range(count)]
    expected = (circular[0] + 2 * np.dot(kept[1:], circular[1:])) / count

    counts = resampled_counts(count, block=block, draws=60_000, seed=5)

    assert (counts @ series / count).var() == pytest.approx(expected, rel=0.03)


def test_blocks_cover_a_known_mean_where_single_weeks_do_not():
    rng = np.random.default_rng(6)
    hits = {1: 0, 4: 0}
    for _ in range(100):
        series = overlapping(rng, 160, 4)
        for block in hits:
            interval = mean_interval(series, block=block)
            hits[block] += interval.low <= 0 <= interval.high

    assert hits[1] < 78
    assert hits[4] > 80


def test_a_ratio_is_that_of_the_totals_and_not_the_mean_of_ratios():
    per_week = np.array([[1.0, 1.0], [0.0, 9.0], [0.0, 0.0], [2.0, 5.0]])

    interval = bootstrap_interval(ratio_of_totals(per_week), 4, block=1)

    assert interval.estimate == pytest.approx(3 / 15)
    assert interval.low <= 3 / 15 <= interval.high


def test_too_few_weeks_have_a_mean_and_no_interval():
    interval = mean_interval([0.1, 0.2, 0.3, 0.4, 0.5], block=2)
    hac = hac_mean_interval([0.1, 0.2, 0.3, 0.4, 0.5], lags=1)

    assert (interval.estimate, interval.low, interval.high, interval.weeks) == (pytest.approx(0.3), None, None, 5)
    assert (hac.low, hac.high) == (None, None)


def test_a_series_without_weeks_has_no_mean():
    row = summarise_weekly(weekly([]), block=2).row(0, named=True)

    assert row == dict.fromkeys(row, None) | {"weeks": 0}


def test_unknown_weeks_are_refused():
    with pytest.raises(ValueError, match="1 of 3 weekly values are unknown"):
        mean_interval([0.1, float("nan"), 0.2], block=1)


def test_a_summary_has_a_row_a_group_and_orders_weeks_itself():
    values = np.random.default_rng(7).normal(0.1, 0.1, 40)
    series = pl.concat(
        [weekly(values, group=["a"] * 40), weekly(-values, group=["b"] * 40)],
    )

    summary = summarise_weekly(series.sample(fraction=1.0, shuffle=True, seed=1), block=2, by=["group"])

    first = summary.row(0, named=True)
    assert summary["group"].to_list() == ["a", "b"]
    assert first["mean"] == pytest.approx(values.mean())
    assert first["icir"] == pytest.approx(values.mean() / values.std(ddof=1))
    assert first["share_above_0"] == pytest.approx((values > 0).mean())
    assert first["low"] < first["mean"] < first["high"]
    assert (first["low"], first["high"]) == (mean_interval(values, block=2).low, mean_interval(values, block=2).high)
    assert first["weeks"] == 40


def test_a_paired_difference_is_narrower_than_either_series_and_uses_common_weeks():
    rng = np.random.default_rng(8)
    shared = rng.normal(0, 1, 100)
    first, second = weekly(shared + 0.05), weekly(shared + rng.normal(0, 0.01, 100))

    difference = paired_difference(first, second.head(90), block=2).row(0, named=True)

    assert difference["weeks"] == 90
    assert difference["low"] > 0.04
    assert difference["high"] < 0.06


def test_a_paired_difference_without_common_weeks_is_refused():
    later = weekly([0.1, 0.2]).with_columns(pl.col("as_of_week").dt.offset_by("1y"))

    with pytest.raises(ValueError, match="share none"):
        paired_difference(weekly([0.1, 0.2]), later, block=1)


def test_the_cumulative_mean_is_that_of_the_weeks_so_far_in_each_group():
    series = pl.concat([weekly([0.3, 0.1, 0.2], group=["b"] * 3), weekly([1.0, 0.0], group=["a"] * 2)])

    cumulative = with_cumulative_mean(series.reverse(), by=["group"])

    assert cumulative["group"].to_list() == ["a", "a", "b", "b", "b"]
    assert cumulative["cumulative_mean"].to_list() == pytest.approx([1.0, 0.5, 0.3, 0.2, 0.2])
    assert with_cumulative_mean(series.tail(2))["cumulative_mean"].to_list() == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize(("weeks", "block"), [(1, 1), (7, 7), (9, 1), (40, 6), (200, 60)])
def test_a_stationary_resample_is_the_one_that_walking_week_by_week_draws(weeks, block):
    generator = np.random.default_rng(11)
    starts = generator.integers(0, weeks, size=(30, weeks))
    is_new = generator.random((30, weeks)) < 1 / block
    expected = np.zeros((30, weeks))
    for draw in range(30):
        position = 0
        for week in range(weeks):
            position = starts[draw, week] if week == 0 or is_new[draw, week] else (position + 1) % weeks
            expected[draw, position] += 1

    assert (resampled_counts(weeks, block=block, draws=30, seed=11) == expected).all()
