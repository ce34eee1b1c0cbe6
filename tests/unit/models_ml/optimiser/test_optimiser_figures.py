"""Figures of many series at once equal those of one series at a time, whole or over any choice of blocks."""

import itertools

import numpy as np
import pytest

from models_ml.backtest.figures import daily_returns, figures_of_totals, largest_drawdown, totals_by_day
from models_ml.optimiser.figures import BlockTotals, figures_of, windows
from models_ml.optimiser.frontier import frontier


def random_levels(seed, variants=7, days=400):
    returns = np.random.default_rng(seed).normal(0.0005, 0.03, (variants, days))
    return np.hstack([np.full((variants, 1), 100.0), 100 * np.cumprod(1 + returns, axis=1)])


def one_by_one(levels):
    alone = figures_of_totals(totals_by_day(daily_returns(levels)).sum(axis=0))
    return [
        *(float(alone[name]) for name in ("annual_return", "volatility", "sharpe")),
        -largest_drawdown(levels).depth,
    ]


def test_figures_equal_those_of_each_series_alone():
    levels = random_levels(1)

    found = figures_of(levels)

    for row, series in enumerate(levels):
        assert list(found.of(row).values()) == pytest.approx(one_by_one(series), rel=1e-9)


def test_a_halving_is_a_drawdown_of_half():
    found = figures_of(np.array([[100.0, 120.0, 60.0, 90.0], [100.0, 101.0, 102.0, 103.0]]))

    assert found.max_drawdown == pytest.approx([0.5, 0.0])
    assert found.annual_return[0] == pytest.approx(0.9 ** (365 / 3) - 1)


def test_blocks_in_any_choice_have_the_figures_of_their_days_joined():
    levels = random_levels(2, variants=5)
    totals = BlockTotals.of(levels, blocks=6)
    choices = [*itertools.combinations(range(6), 3), (0, 1, 2, 3, 4, 5), (4,)]

    found = totals.figures(choices)

    parts = np.array_split(np.arange(400), 6)
    for number, choice in enumerate(choices):
        days = np.concatenate([parts[block] for block in choice])
        for row in range(5):
            joined = np.concatenate([[1.0], np.cumprod(1 + daily_returns(levels[row])[days])])
            figures = [
                getattr(found, name)[number, row] for name in ("annual_return", "volatility", "sharpe", "max_drawdown")
            ]
            assert figures == pytest.approx(one_by_one(joined), rel=1e-8)


def test_windows_of_a_year_begin_every_thirty_days():
    levels = random_levels(3, variants=2, days=430)

    found = windows(levels)

    assert found.sharpe.shape == (3, 2)
    assert found.max_drawdown[1, 0] == pytest.approx(-largest_drawdown(levels[0, 30:396]).depth)


def test_a_series_shorter_than_a_window_has_none():
    assert windows(random_levels(4, days=300)).sharpe.shape == (0, 7)


def test_the_frontier_holds_what_nothing_beats_on_both_counts():
    returns = np.array([0.10, 0.30, 0.20, 0.30, 0.40, 0.10, np.nan])
    risks = np.array([0.20, 0.50, 0.30, 0.50, 0.90, 0.60, 0.01])

    assert frontier(returns, risks).tolist() == [0, 2, 1, 4]


@pytest.mark.parametrize("seed", range(5))
def test_the_frontier_equals_a_comparison_of_all_pairs(seed):
    returns, risks = np.random.default_rng(seed).integers(0, 12, (2, 60)).astype(float)

    found = set(frontier(returns, risks).tolist())

    beaten = {
        one
        for one, other in itertools.product(range(60), repeat=2)
        if returns[other] >= returns[one]
        and risks[other] <= risks[one]
        and (returns[other] > returns[one] or risks[other] < risks[one] or other < one)
    }
    assert found == set(range(60)) - beaten


def test_without_figures_there_is_no_frontier():
    assert frontier(np.array([np.nan]), np.array([0.1])).tolist() == []
