"""Capacity by interpolation on a grid of capitals."""

import datetime as dt
import math

import polars as pl
import pytest

from models_ml.backtest.capacity import CAPACITY_GRID_USD, capacity, first_crossing
from models_ml.backtest.costs import TradingCosts
from models_ml.backtest.errors import BacktestDataError
from models_ml.backtest.net_levels import NET_SCHEMA, TradingRules, net_levels

START = dt.date(2024, 1, 1)


def net_of(returns, *, days=365, start=START):
    """Net levels that grow from 100 by a return over so many days, by (index, capital)."""
    rows = [
        (start + dt.timedelta(days=offset), index_id, capital, 100 * (1 + gain) ** (offset / days), 0.0, 0.0, 0.0, 0.0)
        for (index_id, capital), gain in returns.items()
        for offset in range(days + 1)
    ]
    return pl.DataFrame(rows, schema=NET_SCHEMA, orient="row")


def test_capacity_lies_on_the_line_between_two_capitals_of_the_grid():
    # 30 % at 10 k, 20 % at 1 M; the twin's 25 % lies half way in the logarithm: 100 k.
    net = net_of({("ai", 1e4): 0.30, ("ai", 1e6): 0.20, ("ai", 1e7): -0.5, ("twin", 1e4): 0.25, ("twin", 1e6): 0.1})

    row = capacity(net, {"ai": "twin"}).to_dicts()[0]

    assert row["capacity_usd"] == pytest.approx(1e5)
    assert row["reason"] is None
    assert row["twin_annual_return"] == pytest.approx(0.25)
    assert (row["smallest_annual_return"], row["largest_annual_return"]) == pytest.approx((0.30, -0.5))
    assert (row["first_date"], row["last_date"]) == (START, START + dt.timedelta(days=365))


def test_an_index_that_never_falls_to_its_twin_or_starts_below_it_has_none_and_says_why():
    net = net_of({("good", 1e4): 0.3, ("good", 1e7): 0.2, ("bad", 1e4): 0.05, ("bad", 1e7): 0.0, ("twin", 1e4): 0.1})

    found = capacity(net, {"good": "twin", "bad": "twin"})

    assert found["capacity_usd"].to_list() == [None, None]
    assert found["reason"].to_list() == [
        "already at 10,000 USD it earns 5.00% a year, not more than its twin's 10.00%",
        "even at 10,000,000 USD it earns 20.00% a year, more than its twin's 10.00%",
    ]


def test_returns_are_those_of_the_days_that_both_have():
    early = net_of({("ai", 1e4): 3.0, ("ai", 1e6): 1.0}, days=730)
    late = net_of({("twin", 1e4): 0.5}, days=365, start=START + dt.timedelta(days=365))

    row = capacity(pl.concat([early, late]), {"ai": "twin"}).to_dicts()[0]

    # 1 + 300 % in two years are 100 % a year, 1 + 100 % are 41 %.
    assert row["smallest_annual_return"] == pytest.approx(1.0)
    assert row["largest_annual_return"] == pytest.approx(math.sqrt(2) - 1)
    assert row["first_date"] == START + dt.timedelta(days=365)
    share = (1.0 - 0.5) / (1.0 - (math.sqrt(2) - 1))
    assert row["capacity_usd"] == pytest.approx(1e4 * 100**share)


def test_the_first_of_several_crossings_counts_and_a_touch_is_a_crossing():
    assert first_crossing([10.0, 100.0, 1000.0], [0.2, 0.1, 0.3], target=0.1)[0] == pytest.approx(100.0)


def test_series_that_share_no_days_have_no_capacity_and_absent_ones_are_refused():
    far = net_of({("twin", 1e4): 0.5}, days=10, start=dt.date(2030, 1, 1))
    net = pl.concat([net_of({("ai", 1e4): 0.1}, days=10), far])

    row = capacity(net, {"ai": "twin"}).to_dicts()[0]

    assert (row["capacity_usd"], row["reason"]) == (None, "ai and twin share fewer than two days")
    with pytest.raises(BacktestDataError, match="none of nowhere at 10,000 USD"):
        capacity(net, {"ai": "nowhere"})


def test_at_the_capacity_of_a_walk_costs_have_eaten_the_advantage(daily_of, rebalances_of):
    # The index goes from one of two rising tokens to the other every ten days; its twin holds one that stands still.
    days = 401
    rising = [1.001**day * (1.03 if day % 2 else 1.0) for day in range(days)]
    daily = daily_of({"a": rising, "b": rising, "c": [1.0] * days}, volume=5e6)
    trades = {day: {"a" if day % 20 else "b": 1.0} for day in range(0, days, 10)}
    rebalances = pl.concat([rebalances_of(trades, index_id="busy"), rebalances_of({0: {"c": 1.0}}, index_id="still")])
    options = {
        "costs": TradingCosts(venue_fee=0.0, half_spread_floors=((0.0, 0.0),)),
        "rules": TradingRules(0.05, None),
    }

    net = net_levels(rebalances, daily, capitals_usd=CAPACITY_GRID_USD, **options)
    found = capacity(net, {"busy": "still"})["capacity_usd"][0]
    at_capacity = net_levels(rebalances, daily, capitals_usd=[found], **options).filter(pl.col("index_id") == "busy")

    assert 1e5 < found < 1e6
    assert at_capacity["level_net"][-1] == pytest.approx(1000.0, rel=0.02)
