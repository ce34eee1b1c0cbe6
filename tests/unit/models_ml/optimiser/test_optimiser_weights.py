"""Weights of many variants at once equal those of the index engine's own rules, row by row."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.limits import Bounds, bounds_on, limit
from models_ml.indices.past_returns import PastReturns
from models_ml.indices.weighting_rules import Weighting
from models_ml.optimiser.weights import are_met, calmness_of, limit_rows, shares_of


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 12),
    room=st.floats(1.0, 3.0),
    floor=st.sampled_from([0.0, 0.01, 0.05]),
)
def test_limited_rows_equal_limits_one_by_one(seed, size, room, floor):
    generator = np.random.default_rng(seed)
    rows, places = 6, size + 2
    is_member = np.zeros((rows, places), dtype=bool)
    is_member[:, :size] = True
    shares = np.where(is_member, generator.lognormal(0, 2, (rows, places)), 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    cap = min(1.0, room / size)
    upper = np.where(generator.random((rows, places)) < 0.3, min(1.0, cap * 1.5), cap)
    floors = np.full(rows, min(floor, 1 / size))

    found = limit_rows(shares, upper, floors, is_member)

    assert np.abs(found.sum(axis=1) - 1).max() < 1e-12
    for row in range(rows):
        bounds = Bounds(np.minimum(floors[row], upper[row, :size]), upper[row, :size], ("cap",) * size)
        expected = limit(pl.Series(shares[row, :size]), bounds).to_numpy()
        np.testing.assert_allclose(found[row, :size], expected, rtol=0, atol=1e-11)
        assert (found[row, size:] == 0).all()


def test_a_token_without_a_volatility_counts_as_the_median_of_the_others():
    counts = 1 / np.array([[0.02, 0.04, np.nan, 0.08, np.nan], [np.nan, np.nan, 0.03, 0.05, 0.01], [np.nan] * 5])
    is_member = np.array([[True] * 4 + [False], [True] * 5, [True, True, False, False, False]])

    found = shares_of(counts, is_member)

    assert (1 / found[0, :4]) / (1 / found[0, 0]) == pytest.approx([1, 2, 2, 4])
    assert found[0, 4] == 0
    assert (1 / found[1]) / (1 / found[1, 4]) == pytest.approx([3, 3, 3, 5, 1])
    assert found[2].tolist() == [0.5, 0.5, 0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9), unmeasured=st.floats(0, 1))
def test_calmness_lowers_ceilings_as_the_engine_lowers_them(seed, size, unmeasured):
    generator = np.random.default_rng(seed)
    returns = generator.normal(0, generator.lognormal(-3, 1, size), (30, size))
    past = PastReturns(returns, generator.random(size) > unmeasured)
    members = pl.DataFrame({"token_id": [f"t{column}" for column in range(size)]})
    weighting = Weighting(cap=0.4, volatility_cap=True)

    found = calmness_of(
        np.append(past.volatilities(), [np.nan, 0.01])[None, :], np.array([[True] * size + [False] * 2])
    )

    shares = pl.Series("share", np.full(size, 1 / size))
    expected = bounds_on(members, shares, weighting, past=lambda days: past).upper
    np.testing.assert_allclose(0.4 * found[0, :size], expected, rtol=1e-12)


def test_ceilings_that_no_weights_can_meet_are_told_from_those_that_just_can():
    upper = np.array([[0.4, 0.3, 0.3, 9.0], [0.4, 0.3, 0.29, 9.0]])

    assert are_met(upper, np.array([[True] * 3 + [False]] * 2)).tolist() == [True, False]
