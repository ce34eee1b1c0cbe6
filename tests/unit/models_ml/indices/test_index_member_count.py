"""How many members the criterion takes, and what it may look at."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.indices.market import PriceLookup
from models_ml.indices.member_count import aic_count

DAY = dt.date(2024, 6, 30)


def market(caps, *, seed=1, days=120, noise=0.05):
    """Random walks of tokens with the given caps at `DAY`."""
    generator = np.random.default_rng(seed)
    steps = generator.normal(0, noise, size=(days, len(caps)))
    prices = np.exp(np.cumsum(steps, axis=0))
    names = [f"t{number:02d}" for number in range(len(caps))]
    rows = [
        (DAY - dt.timedelta(days=days - 1 - day), name, float(prices[day, column]))
        for column, name in enumerate(names)
        for day in range(days)
    ]
    frame = pl.DataFrame(rows, schema=["market_date", "token_id", "price_usd"], orient="row")
    return pl.DataFrame({"token_id": names, "market_cap_usd": [float(cap) for cap in caps]}), frame


def test_members_that_lead_away_from_the_market_are_not_taken():
    """The second and the third five cancel each other: with five members nothing is left to explain, with ten there is."""
    generator = np.random.default_rng(3)
    swing = generator.uniform(-0.2, 0.2, 120)
    swing[-1] = 0.01
    paths = {f"a{number}": np.exp(np.cumsum(generator.normal(0, 0.05, 120))) for number in range(5)}
    paths |= {f"b{number}": 1 + swing for number in range(5)} | {f"c{number}": 1 - swing for number in range(5)}
    rows = [
        (DAY - dt.timedelta(days=119 - day), name, float(price))
        for name, path in paths.items()
        for day, price in enumerate(path)
    ]
    prices = pl.DataFrame(rows, schema=["market_date", "token_id", "price_usd"], orient="row")
    units = {"a": 1e9, "b": 1e6, "c": 1e6}
    eligible = pl.DataFrame(
        {"token_id": list(paths), "market_cap_usd": [units[name[0]] * path[-1] for name, path in paths.items()]}
    )

    assert aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=15) == 5


def test_a_market_of_equals_needs_as_many_as_allowed():
    eligible, prices = market([1e9] * 30)

    assert aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=30) == 30
    assert aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=12) == 12


def test_the_criterion_is_the_written_formula():
    eligible, prices = market(np.geomspace(1e9, 1e6, 40), seed=4)
    wide = prices.pivot("token_id", index="market_date", values="price_usd").sort("market_date").tail(91)
    values = wide.select(eligible["token_id"].to_list()).to_numpy()
    values = values * (eligible["market_cap_usd"].to_numpy() / values[-1])
    total = np.diff(np.log(values.sum(axis=1)))
    counts = [5, 10, 15, 20, 25, 30]
    criteria = [
        90 * np.log(np.mean((np.diff(np.log(values[:, :count].sum(axis=1))) - total) ** 2)) + 2 * count
        for count in counts
    ]
    expected = next((counts[i] for i in range(5) if criteria[i + 1] >= criteria[i]), 30)

    assert aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=30) == expected


def test_what_comes_after_the_day_changes_nothing():
    eligible, prices = market(np.geomspace(1e9, 1e5, 40), seed=2)
    later = prices.with_columns(pl.col("market_date") + dt.timedelta(days=120), pl.col("price_usd") * 7)

    known = aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=40)

    assert aic_count(eligible, day=DAY, prices=PriceLookup(pl.concat([prices, later])), most=40) == known


@pytest.mark.parametrize("days", [1, 20])
def test_too_short_a_past_takes_the_smallest_number(days):
    eligible, prices = market([1e9] * 20, days=days)

    assert aic_count(eligible, day=DAY, prices=PriceLookup(prices), most=20) == 5
