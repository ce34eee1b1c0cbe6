"""The cost of a trade: hand-computed cases, a market with a known spread, and what must always hold."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.backtest.costs import TradingCosts, cost_fraction, cost_inputs, spread_of_two_days
from models_ml.backtest.errors import BacktestDataError
from tests.examples import examples

START = dt.date(2024, 1, 1)


def candles(rows, start=START):
    """Rows of one token from (high, low) by day."""
    return pl.DataFrame(
        {
            "market_date": [start + dt.timedelta(days=offset) for offset in range(len(rows))],
            "high_usd": [high for high, _ in rows],
            "low_usd": [low for _, low in rows],
        }
    )


def test_spread_equals_the_formula_worked_through_by_hand():
    # b = ln(104/100)^2 + ln(103/99)^2 = 0.00153826 + 0.00156888 = 0.00310715, g = ln(104/99)^2 = 0.00242764;
    # a = (0.0788308 - 0.0557418) / 0.1715729 - sqrt(0.00242764 / 0.1715729) = 0.1345726 - 0.1189508 = 0.0156218,
    # and 2 (e^a - 1) / (1 + e^a) = 0.0156215.
    frame = candles([(104.0, 100.0), (103.0, 99.0)])

    spread = frame.select(spread_of_two_days()).to_series().to_list()

    assert spread[0] is None
    assert spread[1] == pytest.approx(0.0156215, abs=1e-7)


def test_days_without_a_range_or_a_day_before_give_no_spread():
    flat = candles([(104.0, 100.0), (100.0, 100.0), (103.0, 99.0)])
    gap = candles([(104.0, 100.0), (103.0, 99.0)]).with_columns(
        market_date=pl.Series([START, START + dt.timedelta(days=2)])
    )

    assert flat.select(spread_of_two_days()).to_series().to_list() == [None, None, None]
    assert gap.select(spread_of_two_days()).to_series().to_list() == [None, None]


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.05])
def test_half_spread_of_a_simulated_order_book_is_found_to_a_quarter_of_a_per_cent(spread):
    # Every minute a trade at the bid or the ask around a random walk of 4 % a day.
    generator = np.random.default_rng(7)
    minutes, days = 1440, 400
    middle = np.exp(np.cumsum(generator.normal(0, 0.04 / math.sqrt(minutes), minutes * days)))
    traded = (middle * (1 + spread / 2 * generator.choice([-1, 1], minutes * days))).reshape(days, minutes)
    daily = candles(list(zip(traded.max(axis=1).tolist(), traded.min(axis=1).tolist(), strict=True))).with_columns(
        token_id=pl.lit("a"), price_usd=pl.Series(traded[:, -1]), trusted_volume_24h_usd=pl.lit(1e6)
    )

    found = cost_inputs(daily, TradingCosts(half_spread_floors=((0.0, 0.0),)))["half_spread"][90:].mean()

    assert found == pytest.approx(spread / 2, abs=0.0025)


def test_a_cost_is_the_sum_of_its_three_parts(daily_of):
    # Prices that go up and down by 10 %: log returns of +-ln(1.1), 60 of them, of which the last 30 count.
    prices = [1.0 if day % 2 else 1.1 for day in range(61)]
    row = cost_inputs(daily_of({"a": prices}, volume=4e6)).tail(1).to_dicts()[0]
    deviation = math.log(1.1) * math.sqrt(30 / 29)

    cost = cost_fraction(
        np.array([40_000.0]),
        linear_cost=np.array([row["linear_cost"]]),
        impact_per_root_usd=np.array([row["impact_per_root_usd"]]),
    )

    # A hundredth of 4 M USD moves the price by a tenth of the volatility; the bucket from 0.5 M USD has 0.5 %.
    assert row["daily_volatility"] == pytest.approx(deviation, rel=1e-9)
    assert cost[0] == pytest.approx(0.001 + 0.005 + 0.1 * deviation, rel=1e-9)


def test_floor_follows_the_average_volume(daily_of):
    volumes = {"a": 4e5, "b": 5e5, "c": 6e6, "d": 6e7, "e": 2e9}
    daily = pl.concat([daily_of({name: [1.0] * 5}, volume=value) for name, value in volumes.items()])

    last = cost_inputs(daily).group_by("token_id").agg(pl.col("half_spread").last()).sort("token_id")

    assert last["half_spread"].to_list() == [0.01, 0.005, 0.002, 0.0005, 0.0001]


def test_ranges_that_suggest_a_negative_spread_count_as_the_floor(daily_of):
    # Prices that only rise: the range of two days is twice that of one, which leaves less than nothing for a spread.
    days = 60
    lows = [100 * 1.02**day for day in range(days)]
    daily = daily_of({"a": lows}, volume=1e6).with_columns(
        low_usd=pl.Series(lows), high_usd=pl.Series([low * 1.02 for low in lows])
    )
    spread = daily.sort("market_date").select(spread_of_two_days()).to_series()

    assert spread.drop_nulls().max() < 0
    assert cost_inputs(daily)["half_spread"].to_list() == [0.005] * days


def ranging(daily, *, volume):
    """A token whose price bounces between bid and ask, 4 % apart, and does not move: each day has both."""
    return daily.with_columns(
        high_usd=pl.col("price_usd") * 1.02, low_usd=pl.col("price_usd") * 0.98, trusted_volume_24h_usd=pl.lit(volume)
    )


def test_a_range_tells_the_half_spread_of_a_small_token_and_leaves_a_large_one_at_its_floor(daily_of):
    still = daily_of({"a": [1.0] * 60})

    small, large = (cost_inputs(ranging(still, volume=volume))["half_spread"].to_list() for volume in (4.9e7, 5.1e7))

    # Half of 90 days must be known; then two ranges of one day and one of two are the spread alone, 4 %.
    assert small[:45] == [0.002] * 45
    assert small[45:] == pytest.approx([0.02] * 15, abs=1e-9)
    assert large == [0.0005] * 60


def test_a_quoted_spread_goes_before_the_estimate_and_the_floor_for_thirty_days(daily_of):
    quotes = [None] * 50 + [0.001, 0.003] + [None] * 38
    daily = ranging(daily_of({"a": [1.0] * 90}), volume=4e5).with_columns(
        bid_ask_spread=pl.Series(quotes, dtype=pl.Float64)
    )

    found = cost_inputs(daily)["half_spread"].to_list()

    assert found[49] == pytest.approx(0.02)
    assert found[50] == pytest.approx(0.0005)
    assert found[51:80] == pytest.approx([0.001] * 29)
    assert found[80] == pytest.approx(0.0015)  # the first quote is 30 days old, the second counts alone
    assert found[81:] == pytest.approx([0.02] * 9)


def test_average_volume_spans_30_days_and_skips_the_unknown(daily_of):
    volumes = [1e6, *[None] * 5, *[3e6] * 29]

    rows = cost_inputs(daily_of({"a": [1.0] * 35}, volume={"a": volumes}))

    assert rows["average_volume_usd"][5] == pytest.approx(1e6)
    assert rows["average_volume_usd"][29] == pytest.approx((1e6 + 24 * 3e6) / 25)
    assert rows["average_volume_usd"][30] == pytest.approx(3e6)


def test_a_token_without_any_volume_costs_what_moving_it_for_a_day_does(daily_of):
    rows = cost_inputs(daily_of({"a": [1.0, 1.0]}, volume={"a": [None, 0.0]}))

    assert rows["volume_usd"].to_list() == [None, None]
    assert rows["linear_cost"].to_list() == pytest.approx([0.001 + 0.01 + 0.10] * 2)
    assert rows["impact_per_root_usd"].to_list() == [0.0, 0.0]


@examples(10, many=30)
@given(
    small=st.floats(1, 1e9),
    factor=st.floats(1.01, 1e3),
    linear=st.floats(0, 0.1),
    volatility=st.floats(0.001, 1),
    volume=st.floats(1e3, 1e11),
)
def test_cost_rises_with_the_size_of_a_trade(small, factor, linear, volatility, volume):
    terms = {
        "linear_cost": np.full(2, linear),
        "impact_per_root_usd": np.full(2, volatility / math.sqrt(volume)),
    }

    smaller, larger = cost_fraction(np.array([small, small * factor]), **terms)

    assert larger > smaller > linear


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 119))
def test_costs_of_a_day_know_nothing_of_later_days(seed, cut, random_case):
    daily, _ = random_case(seed)
    daily = daily.with_columns(high_usd=pl.col("price_usd") * 1.05, low_usd=pl.col("price_usd") * 0.97)
    end = START + dt.timedelta(days=cut)

    full = cost_inputs(daily).filter(pl.col("market_date") < end)
    cut_off = cost_inputs(daily.filter(pl.col("market_date") < end))

    assert full.equals(cut_off)


def test_wrong_parameters_and_frames_are_refused(daily_of):
    with pytest.raises(BacktestDataError, match="must ascend"):
        TradingCosts(half_spread_floors=((1.0, 0.01),))
    with pytest.raises(BacktestDataError, match="negative cost"):
        TradingCosts(venue_fee=-0.001)
    daily = daily_of({"a": [1.0]})
    with pytest.raises(BacktestDataError, match="trusted_volume_24h_usd is missing"):
        cost_inputs(daily.drop("trusted_volume_24h_usd"))
    with pytest.raises(BacktestDataError, match="a, 2024-01-01 is there more than once"):
        cost_inputs(daily.vstack(daily))
