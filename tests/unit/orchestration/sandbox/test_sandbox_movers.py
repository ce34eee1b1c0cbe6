"""Planted movers: none by default, weak signs before a rise, no sign in the null market."""

from datetime import timedelta

import polars as pl
import pytest

from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.settings import SimulationSettings

SETTINGS = SimulationSettings(tokens=120, mover_share=0.3)


@pytest.fixture(scope="module")
def market():
    return simulate_market(SETTINGS)


def mean_log_ratio(market, column, first, last):
    """Mean over the movers of the logarithm of a column's mean between two days from the rise on, against the 30 days before the signs."""
    daily = market.daily.select("coin_id", "market_date", column)
    both = market.movers.join(daily, on="coin_id").with_columns(
        day=(pl.col("market_date") - pl.col("first_date")).dt.total_days(),
        before=(pl.col("market_date") - pl.col("sign_date")).dt.total_days(),
    )
    within = (
        both.filter(pl.col("day").is_between(first, last))
        .group_by("coin_id", "first_date")
        .agg(a=pl.col(column).median())
    )
    usual = (
        both.filter(pl.col("before").is_between(-30, -1))
        .group_by("coin_id", "first_date")
        .agg(b=pl.col(column).median())
    )
    return within.join(usual, on=["coin_id", "first_date"]).select((pl.col("a") / pl.col("b")).log().mean()).item()


def test_without_movers_the_market_is_what_it_was(market):
    plain = simulate_market(SimulationSettings(tokens=120))

    assert plain.movers.is_empty()
    assert plain.events.equals(market.events)
    moved = market.movers["coin_id"].unique().to_list()
    first = market.movers["sign_date"].min()
    earlier = pl.col("market_date") < first
    assert plain.daily.filter(earlier).equals(market.daily.filter(earlier))
    assert not plain.daily.filter(pl.col("coin_id").is_in(moved)).equals(
        market.daily.filter(pl.col("coin_id").is_in(moved))
    )


def test_movers_are_small_and_rise_for_weeks(market):
    movers = market.movers
    days = (movers["last_date"] - movers["first_date"]).dt.total_days() + 1

    assert 25 <= movers.height <= 36
    assert days.is_between(28, 56).all()
    assert mean_log_ratio(market, "price_usd", 56, 60) > 0.6


def test_volume_rises_before_the_price_does(market):
    assert mean_log_ratio(market, "volume_usd", -28, -1) > 0.3
    assert abs(mean_log_ratio(market, "price_usd", -7, -1)) < 0.25


def test_in_the_null_market_nothing_precedes_a_jump():
    null = simulate_market(SimulationSettings(tokens=120, mover_share=0.3, is_null=True))

    assert (null.movers["sign_date"] == null.movers["first_date"]).all()
    assert (null.movers["last_date"] - null.movers["first_date"] == timedelta(0)).all()
    daily = null.movers.join(null.daily.select("coin_id", "market_date", "price_usd"), on="coin_id").with_columns(
        day=(pl.col("market_date") - pl.col("first_date")).dt.total_days()
    )
    on_day = {
        day: daily.filter(pl.col("day") == day).sort("coin_id", "first_date")["price_usd"].log() for day in (-1, 0)
    }
    jumps = on_day[0] - on_day[-1]
    assert (jumps > 0.5).sum() >= 5
    assert (jumps < -0.5).sum() >= 5
