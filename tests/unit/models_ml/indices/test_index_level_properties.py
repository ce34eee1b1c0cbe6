"""What must hold of every level: a rebalance moves it by nothing, a constituent that falls takes its own weight along and no more."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.indices.levels import Basket
from models_ml.indices.market import PriceLookup
from models_ml.indices.state import Rebalance, Target, midnight

FIRST, SECOND = dt.date(2024, 3, 4), dt.date(2024, 3, 5)
PRICES = st.lists(st.floats(1e-8, 1e6), min_size=2, max_size=40)


def lookup(*closes):
    """Closes of tokens t00, t01 ... on days from `FIRST` on."""
    return PriceLookup(
        pl.DataFrame(
            [
                (FIRST + dt.timedelta(days=day), f"t{number:02d}", float(price))
                for day, prices in enumerate(closes)
                for number, price in enumerate(prices)
            ],
            schema={"market_date": pl.Date, "token_id": pl.String, "price_usd": pl.Float64},
            orient="row",
        )
    )


def rebalance(weights, day=FIRST):
    targets = tuple(Target(f"t{number:02d}", "T", float(weight), "") for number, weight in enumerate(weights))
    return Rebalance(midnight(day + dt.timedelta(days=1)), targets)


def weights_of(seed, count):
    return np.random.default_rng(seed).dirichlet(np.full(count, 0.5)) + 1e-9


@settings(max_examples=60)
@given(prices=PRICES, level=st.floats(1e-3, 1e7), seed=st.integers(0, 10**6))
def test_a_rebalance_leaves_the_level_where_it_was(prices, level, seed):
    closes = lookup(prices, np.array(prices) * np.random.default_rng(seed).lognormal(0, 0.5, len(prices)))
    before = Basket.bought(rebalance(weights_of(seed, len(prices))), level=level, prices=closes)
    reached = before.closes(closes, SECOND, SECOND)[0].level

    after = Basket.bought(rebalance(weights_of(seed + 1, len(prices)), SECOND), level=reached, prices=closes)

    assert after.closes(closes, SECOND, SECOND)[0].level == pytest.approx(reached, rel=1e-12)


@settings(max_examples=60)
@given(prices=PRICES, seed=st.integers(0, 10**6), share_left=st.sampled_from([0.5, 1e-3, 1e-9, 1e-15]))
def test_a_constituent_that_goes_to_zero_loses_exactly_its_weight(prices, seed, share_left):
    weights = weights_of(seed, len(prices))
    fallen = seed % len(prices)
    left = np.array(prices)
    left[fallen] *= share_left
    closes = lookup(prices, left)
    basket = Basket.bought(rebalance(weights), level=1000.0, prices=closes)

    base, after = basket.closes(closes, FIRST, SECOND)

    lost = 1 - after.level / base.level
    assert lost == pytest.approx(weights[fallen] / weights.sum() * (1 - share_left), rel=1e-9, abs=1e-12)


@settings(max_examples=60)
@given(prices=PRICES, seed=st.integers(0, 10**6))
def test_the_order_of_constituents_does_not_matter_to_the_level(prices, seed):
    weights = weights_of(seed, len(prices))
    moved = np.array(prices) * np.random.default_rng(seed).lognormal(0, 0.5, len(prices))
    order = np.random.default_rng(seed + 1).permutation(len(prices))

    levels = [
        Basket.bought(rebalance(w), level=1000.0, prices=(p := lookup(a, b))).closes(p, SECOND, SECOND)[0].level
        for w, a, b in (
            (weights, np.array(prices), moved),
            (weights[order], np.array(prices)[order], moved[order]),
        )
    ]

    assert levels[1] == pytest.approx(levels[0], rel=1e-12)
