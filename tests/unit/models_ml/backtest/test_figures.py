"""Figures of levels: quantstats as oracle, and cases by hand."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.backtest.figures import (
    calmar,
    capture,
    daily_returns,
    figures_of_totals,
    largest_drawdown,
    monthly_returns,
    relative_figures_of_totals,
    share_above,
    totals_by_day,
    worst_year,
)


def random_levels(seed, days=700, drift=0.001):
    generator = np.random.default_rng(seed)
    return 1000 * np.exp(np.cumsum(np.append(0.0, generator.normal(drift, 0.03, days))))


def alone(levels):
    return figures_of_totals(totals_by_day(daily_returns(levels)).sum(axis=0))


def against(levels, benchmark):
    totals = totals_by_day(daily_returns(levels), daily_returns(benchmark)).sum(axis=0)
    return relative_figures_of_totals(totals)


# quantstats brings pandas idioms that warn; they are not ours.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_equal_those_of_quantstats_at_365_days_a_year(seed):
    import pandas as pd
    import quantstats

    levels = random_levels(seed, drift=0.001 * (seed - 2))
    prices = pd.Series(levels, index=pd.date_range("2022-01-01", periods=len(levels)))
    returns = prices.pct_change().dropna()

    figures = alone(levels)
    depth = largest_drawdown(levels).depth

    assert figures["annual_return"] == pytest.approx(quantstats.stats.cagr(returns, periods=365), rel=1e-9)
    assert figures["volatility"] == pytest.approx(quantstats.stats.volatility(returns, periods=365), rel=1e-9)
    assert figures["sharpe"] == pytest.approx(quantstats.stats.sharpe(returns, periods=365), rel=1e-9)
    assert figures["sortino"] == pytest.approx(quantstats.stats.sortino(returns, periods=365), rel=1e-9)
    assert depth == pytest.approx(quantstats.stats.max_drawdown(prices), rel=1e-9)
    expected = quantstats.stats.calmar(returns, periods=365)
    assert calmar(float(figures["annual_return"]), depth) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_information_ratio_and_beta_equal_those_of_quantstats():
    import pandas as pd
    import quantstats

    levels, benchmark = random_levels(4), random_levels(5)
    dates = pd.date_range("2022-01-01", periods=len(levels))
    returns = pd.Series(levels, index=dates).pct_change().dropna()
    other = pd.Series(benchmark, index=dates).pct_change().dropna()

    figures = against(levels, benchmark)

    # quantstats gives the ratio a day.
    daily = quantstats.stats.information_ratio(returns, other)
    assert figures["information_ratio"] == pytest.approx(daily * math.sqrt(365), rel=1e-9)
    greeks = quantstats.stats.greeks(returns, other, periods=365)
    assert figures["beta"] == pytest.approx(greeks["beta"], rel=1e-9)


def test_figures_of_three_days_worked_through_by_hand():
    # Returns 10 %, -5 %, 4 %: mean 3 %, deviations 7, -8, 1, variance 0.0114 / 2.
    levels = np.array([100.0, 110.0, 104.5, 108.68])

    figures = alone(levels)

    assert figures["volatility"] == pytest.approx(math.sqrt(0.0057 * 365))
    assert figures["sharpe"] == pytest.approx(0.03 / math.sqrt(0.0057) * math.sqrt(365))
    assert figures["sortino"] == pytest.approx(0.03 / math.sqrt(0.0025 / 3) * math.sqrt(365))
    assert figures["annual_return"] == pytest.approx(1.0868 ** (365 / 3) - 1)


def test_figures_against_a_benchmark_worked_through_by_hand():
    # Twice the benchmark's returns of 2 %, -1 %, 2 %: the difference is the benchmark's return itself.
    returns = np.array([0.02, -0.01, 0.02])
    benchmark = 100 * np.cumprod(np.append(1.0, 1 + returns))
    levels = 100 * np.cumprod(np.append(1.0, 1 + 2 * returns))

    figures = against(levels, benchmark)

    assert figures["beta"] == pytest.approx(2.0)
    assert figures["tracking_error"] == pytest.approx(math.sqrt(0.0003 * 365))
    assert figures["information_ratio"] == pytest.approx(0.01 / math.sqrt(0.0003) * math.sqrt(365))
    assert figures["sharpe_difference"] == pytest.approx(0.0, abs=1e-9)
    expected = (1.04**2 * 0.98) ** (365 / 3) - (1.02**2 * 0.99) ** (365 / 3)
    assert figures["annual_return_difference"] == pytest.approx(expected)


def test_drawdown_names_the_high_the_low_and_the_day_of_recovery():
    found = largest_drawdown(np.array([100.0, 90.0, 120.0, 60.0, 80.0, 120.0, 110.0]))

    assert (found.depth, found.peak, found.trough, found.recovery) == (-0.5, 2, 3, 5)
    assert largest_drawdown(np.array([100.0, 50.0, 99.0])).recovery is None


def test_levels_that_only_rise_have_no_drawdown_no_calmar_and_no_sortino():
    levels = np.array([1.0, 2.0, 4.0])

    assert largest_drawdown(levels).depth == 0
    assert math.isnan(calmar(1.0, 0.0))
    assert math.isnan(alone(levels)["sortino"])
    assert math.isnan(alone(levels)["sharpe"])


def test_an_index_against_itself_has_no_ratio_and_a_beta_of_one():
    levels = random_levels(6)

    figures = against(levels, levels)

    assert math.isnan(figures["information_ratio"])
    assert figures["tracking_error"] == 0
    assert figures["beta"] == pytest.approx(1.0)


def test_worst_year_is_the_lowest_return_over_365_days():
    levels = np.ones(800)
    levels[200:] = 0.5
    levels[500:] = 2.0

    assert worst_year(levels) == (-0.5, 0, 365)
    assert worst_year(levels[:365]) is None


def test_months_are_whole_calendar_months():
    # From 15 January to 31 March of a leap year: February and March are whole.
    levels = np.array([1.01**day for day in range(77)])

    months = monthly_returns(levels, first=dt.date(2024, 1, 15))

    assert months == pytest.approx([1.01**29 - 1, 1.01**31 - 1])
    assert len(monthly_returns(levels[:20], first=dt.date(2024, 1, 15))) == 0


def test_captures_are_ratios_of_geometric_means_in_rising_and_falling_months():
    benchmark = np.array([0.10, 0.21, -0.10, 0.0])
    months = np.array([0.20, 0.20, -0.05, 0.3])

    assert capture(months, benchmark, is_up=True) == pytest.approx(0.20 / (math.sqrt(1.1 * 1.21) - 1))
    assert capture(months, benchmark, is_up=False) == pytest.approx(0.5)
    assert math.isnan(capture(months[:1], benchmark[:1], is_up=False))
    assert share_above(months) == 0.75
    assert share_above(months, benchmark) == 0.75


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e6))
def test_no_figure_depends_on_the_base_of_the_level(seed, scale):
    levels = random_levels(seed, days=200)

    for name, value in alone(levels).items():
        assert alone(levels * scale)[name] == pytest.approx(float(value), rel=1e-6, abs=1e-9)
    assert largest_drawdown(levels * scale).depth == pytest.approx(largest_drawdown(levels).depth)
