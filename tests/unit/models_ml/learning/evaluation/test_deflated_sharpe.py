"""Deflated Sharpe ratio: the worked example of its authors, moments as scipy has them, and the luck of many trials simulated."""

import math

import numpy as np
import pytest
from scipy import stats

from models_ml.learning.evaluation.deflated_sharpe import (
    ReturnSample,
    deflated_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe,
    sharpe_of_totals,
)

DAYS = 250
# Bailey, López de Prado (2014), section "A numerical example": annual Sharpe ratio 2.5 over 1,250 daily returns, skewness -3,
# kurtosis 10, variance of the annual ratios over the trials 1/2.
EXAMPLE = ReturnSample(sharpe=2.5 / math.sqrt(DAYS), skewness=-3, kurtosis=10, periods=1250)
VARIANCE = 0.5 / DAYS


def test_the_expected_maximum_is_that_of_the_published_example():
    assert expected_maximum_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("trials", "probability"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_ratio_is_that_of_the_published_example(trials, probability):
    assert deflated_sharpe(EXAMPLE, trials=trials, variance=VARIANCE) == pytest.approx(probability, abs=5e-5)


def test_normal_returns_would_have_allowed_88_trials_in_the_published_example():
    normal = ReturnSample(sharpe=EXAMPLE.sharpe, skewness=0, kurtosis=3, periods=1250)

    assert deflated_sharpe(normal, trials=88, variance=VARIANCE) == pytest.approx(0.9505, abs=5e-4)


def test_one_trial_is_deflated_by_nothing():
    assert deflated_sharpe(EXAMPLE, trials=1, variance=VARIANCE) == probabilistic_sharpe(EXAMPLE)


def test_the_expected_maximum_is_that_of_simulated_trials():
    best = np.random.default_rng(1).normal(0, 0.05, (20_000, 30)).max(axis=1)

    assert expected_maximum_sharpe(30, 0.05**2) == pytest.approx(best.mean(), rel=0.02)


def test_a_sample_has_the_moments_of_scipy():
    returns = np.random.default_rng(2).gamma(2, 0.01, 300) - 0.015

    sample = ReturnSample.of(returns)

    assert sample.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert sample.skewness == pytest.approx(stats.skew(returns))
    assert sample.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))
    assert sample.periods == 300


def test_the_probability_is_that_of_repeated_samples():
    rng = np.random.default_rng(3)
    true = 0.1
    rejected = 0
    for _ in range(1000):
        sample = ReturnSample.of(rng.normal(true, 1, 200))
        rejected += probabilistic_sharpe(sample, true) > 0.9

    assert rejected / 1000 == pytest.approx(0.1, abs=0.03)


def test_ratios_of_totals_are_those_of_the_returns_and_unknown_where_nothing_varies():
    returns = np.random.default_rng(4).normal(0.01, 0.05, 30)

    totals = np.array([[values.sum(), np.square(values).sum(), 30] for values in (returns, np.full(30, 0.013))])
    ratios = sharpe_of_totals(totals)

    assert ratios[0] == pytest.approx(ReturnSample.of(returns).sharpe)
    assert math.isnan(ratios[1])


@pytest.mark.parametrize("returns", [[0.1, 0.2], [0.1, 0.2, float("nan")], [0.013] * 20])
def test_returns_without_a_ratio_are_refused(returns):
    with pytest.raises(ValueError, match="Sharpe ratio"):
        ReturnSample.of(np.array(returns))


@pytest.mark.parametrize(("trials", "variance"), [(0, 0.1), (5, -0.1)])
def test_impossible_trials_are_refused(trials, variance):
    with pytest.raises(ValueError, match="trials"):
        expected_maximum_sharpe(trials, variance)
