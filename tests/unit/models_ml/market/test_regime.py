"""The regime: the filter against two other implementations, the states a planted market has, and that it knows no future."""

import itertools
import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models_ml.market.regime import (
    RegimeRules,
    all_days,
    market_regimes,
    since_dates,
    switching_filter,
    usual_returns,
    with_hysteresis,
)

FIRST = date(2019, 1, 1)
RULES = RegimeRules(
    bull_locations=(0.1, 0.3),
    bear_locations=(-0.3, -0.1),
    scales=(0.7,),
    calm_sizes=(0.01,),
    turbulent_sizes=(0.03, 0.05),
)


def planted(days: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns that rise and fall by spells of 200 days, calm and turbulent by spells of 100, and both truths."""
    random = np.random.default_rng(seed)
    is_bull = (np.arange(days) // 200) % 2 == 0
    is_turbulent = (np.arange(days) // 100) % 2 == 1
    size = np.where(is_turbulent, 0.045, 0.012)
    return size * (np.where(is_bull, 0.35, -0.35) + random.standard_t(4, days) * 0.7), is_bull, is_turbulent


def by_all_paths(log_densities: np.ndarray, stay: float) -> tuple[np.ndarray, float]:
    """Filtered probability of the high state and the log likelihood, from the sum over every path of states there is."""
    days = len(log_densities)
    filtered = []
    total = 0.0
    for end in range(1, days + 1):
        ends_high = total = 0.0
        for path in itertools.product((0, 1), repeat=end):
            chance = 0.5
            for before, after in itertools.pairwise(path):
                chance *= stay if before == after else 1 - stay
            chance *= math.exp(sum(log_densities[day, state] for day, state in enumerate(path)))
            total += chance
            ends_high += chance * path[-1]
        filtered.append(ends_high / total)
    return np.array(filtered), math.log(total)


def test_the_filter_is_the_sum_over_all_paths_of_states():
    log_densities = np.random.default_rng(1).normal(size=(9, 2))

    probabilities, likelihoods = switching_filter(log_densities[:, None, :], np.array([0.9]))

    expected, likelihood = by_all_paths(log_densities, 0.9)
    assert probabilities[:, 0] == pytest.approx(expected, rel=1e-12)
    assert likelihoods[-1, 0] == pytest.approx(likelihood, rel=1e-12)


def test_the_filter_agrees_with_statsmodels():
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    returns = planted(300)[0]
    means, deviations, stay = np.array([-0.004, 0.003]), np.array([0.04, 0.02]), 0.97
    model = MarkovRegression(returns, k_regimes=2, switching_variance=True)
    # Its parameters: p[0->0], p[1->0], constants, variances. From stationary probabilities, here one half each, as ours.
    oracle = model.filter(np.array([stay, 1 - stay, *means, *deviations**2]))

    log_densities = norm.logpdf(returns[:, None], means, deviations)[:, None, :]
    probabilities, likelihoods = switching_filter(log_densities, np.array([stay]))

    assert probabilities[:, 0] == pytest.approx(oracle.filtered_marginal_probabilities[:, 1], rel=1e-9)
    assert likelihoods[-1, 0] == pytest.approx(oracle.llf, rel=1e-9)


def test_planted_spells_are_found():
    returns, is_bull, is_turbulent = planted(1600)

    found = market_regimes(all_days(FIRST, FIRST + timedelta(days=1599)), returns).days

    start = (found["market_date"][0] - FIRST).days
    right_trend = (found["trend"] == "bull").to_numpy() == is_bull[start:]
    right_volatility = (found["volatility"] == "turbulent").to_numpy() == is_turbulent[start:]
    # A spell of 200 days is named about a month after it began: what a filter cannot spare and a smoother would hide.
    assert right_trend.mean() > 0.75
    assert right_volatility.mean() > 0.85


def test_a_market_without_spells_keeps_the_probability_of_a_bull_away_from_certainty():
    random = np.random.default_rng(5)
    returns = random.standard_t(4, 1600) * 0.02

    found = market_regimes(all_days(FIRST, FIRST + timedelta(days=1599)), returns).days

    assert 0.2 < found["p_bull"].mean() < 0.8
    assert found["p_bull"].is_between(0.01, 0.99).mean() > 0.9


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(420, 899), seed=st.integers(0, 50))
def test_rows_up_to_a_day_are_the_same_whatever_comes_after_it(cut, seed):
    returns = planted(900, seed)[0]
    days = all_days(FIRST, FIRST + timedelta(days=899))
    shuffled = returns.copy()
    shuffled[cut:] = np.random.default_rng(seed).permutation(shuffled[cut:]) * -2

    full = market_regimes(days, returns, RULES)
    truncated = market_regimes(days[:cut], returns[:cut], RULES)
    scrambled = market_regimes(days, shuffled, RULES)

    known = full.days.filter(pl.col("market_date") < days[cut])
    assert truncated.days.equals(known)
    assert scrambled.days.filter(pl.col("market_date") < days[cut]).equals(known)
    assert truncated.models.equals(full.models.filter(pl.col("refit_date") < days[cut]))


def test_weights_are_set_on_first_mondays_of_quarters_from_the_returns_before_them():
    returns = planted(700)[0]
    days = all_days(FIRST, FIRST + timedelta(days=699))

    found = market_regimes(days, returns, RULES)

    # 300 returns are there from 28 October 2019 on, so the first refit is that of January 2020.
    assert found.models["refit_date"].unique().sort().to_list() == [
        date(2020, 1, 6),
        date(2020, 4, 6),
        date(2020, 7, 6),
        date(2020, 10, 5),
    ]
    assert found.models["training_days"][0] == (date(2020, 1, 6) - FIRST).days
    assert found.days["market_date"][0] == date(2020, 1, 6)
    assert found.days.filter(pl.col("market_date") == date(2020, 4, 5))["refit_date"].item() == date(2020, 1, 6)
    assert found.days.filter(pl.col("market_date") == date(2020, 4, 6))["refit_date"].item() == date(2020, 4, 6)


def test_an_unknown_return_moves_the_state_towards_what_is_usual_and_counts_for_nothing():
    log_densities = np.array([[[0.0, 3.0]], [[0.0, 0.0]]])

    probabilities, likelihoods = switching_filter(log_densities, np.array([0.9]))

    before = math.exp(3) / (1 + math.exp(3))
    assert probabilities[:, 0] == pytest.approx([before, 0.9 * before + 0.1 * (1 - before)])
    assert likelihoods[1, 0] == pytest.approx(likelihoods[0, 0])


def test_the_usual_return_is_that_of_the_days_before():
    returns = np.array([0.1, -0.3, np.nan, 0.2])

    usual = usual_returns(returns, half_life_days=1, usual_days=2)

    # Half weight a day: (0.3^2 + 0.5 * 0.1^2) / 1.5; the unknown day ages nothing.
    expected = math.sqrt((0.09 + 0.005) / 1.5)
    assert np.isnan(usual[:2]).all()
    assert usual[2:] == pytest.approx([expected, expected])


def test_a_name_stands_until_the_other_state_is_likely_enough():
    probability = np.array([0.6, 0.4, 0.26, 0.25, 0.5, 0.74, 0.75])

    named = with_hysteresis(probability, 0.75)

    assert named == [True, True, True, False, False, False, True]
    days = all_days(FIRST, FIRST + timedelta(days=6))
    assert since_dates(days, named) == [days[0]] * 3 + [days[3]] * 3 + [days[6]]


def test_too_few_returns_have_no_regime():
    found = market_regimes(all_days(FIRST, FIRST + timedelta(days=99)), planted(100)[0])

    assert found.days.is_empty()
    assert found.models.is_empty()
    assert market_regimes([], np.array([])).days.is_empty()


def test_missing_days_are_refused():
    with pytest.raises(ValueError, match="some are missing"):
        market_regimes([FIRST, FIRST + timedelta(days=2)], np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match="2 days but 1 returns"):
        market_regimes([FIRST, FIRST + timedelta(days=1)], np.array([0.1]))
