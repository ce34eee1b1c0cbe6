"""Scams that the simulated market plants, and its traps among the pools, as the filter's own thresholds see them."""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from models_ml.screens.scam_filter.inputs import INPUT_SCHEMA
from models_ml.screens.scam_filter.token_warnings import FilterSettings, raised_warnings
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.dex_pools import DexPools
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

SETTINGS = SimulationSettings(seed=3, tokens=60, start=date(2022, 1, 3), end=date(2023, 7, 3), scam_share=0.2)


@pytest.fixture(scope="module")
def market():
    return simulate_market(SETTINGS)


def test_wash_trading_multiplies_the_volume_of_its_token_and_moves_no_price(market):
    honest = simulate_market(replace(SETTINGS, scam_share=0.0))
    washes = market.events.filter(kind="wash_trading")

    for coin_id, first, last in washes.select("coin_id", "first_date", "last_date").rows():
        chosen = (pl.col("coin_id") == coin_id) & pl.col("market_date").is_between(first, last)
        with_it, without = market.daily.filter(chosen), honest.daily.filter(chosen)
        assert 20 <= (with_it["volume_usd"] / without["volume_usd"]).median() <= 60
    assert washes.height == 6


def test_a_rug_pull_takes_nearly_all_of_the_price_within_a_day_and_the_token_lives_on(market):
    pulls = market.events.filter(kind="rug_pull")

    assert pulls.height == 6
    for coin_id, day in pulls.select("coin_id", "first_date").rows():
        prices = market.daily.filter(pl.col("coin_id") == coin_id)
        before, after = (prices.filter(pl.col("market_date") == day + pl.duration(days=offset)) for offset in (-1, 0))
        assert after["price_usd"].item() / before["price_usd"].item() < 0.35
        assert prices["market_date"].max() > day


def test_the_market_without_scams_and_the_null_market_have_none(market):
    kinds = ["wash_trading", "rug_pull"]

    assert simulate_market(replace(SETTINGS, scam_share=0.0)).events.filter(pl.col("kind").is_in(kinds)).is_empty()
    assert simulate_market(replace(SETTINGS, is_null=True)).events.filter(pl.col("kind").is_in(kinds)).is_empty()


def test_honeypots_and_drained_pools_among_new_pools_are_known_and_others_are_not_accused(market):
    """Over pools with enough buys to tell; a pool that nobody wanted yet tells nothing."""
    pools = DexPools(ServedMarket(market, SandboxClock(datetime(2023, 6, 1, 12, tzinfo=UTC))))
    rows, traps, live = [], set(), set()
    for pool in pools.newest(600):
        state = pools.state(pool)
        if pool.number is None or state.liquidity is None or state.buys + state.sells < 24:
            continue
        rows.append(
            {
                "as_of_week": date(2023, 6, 5),
                "token_id": pool.id,
                "pool_liquidity_usd": state.liquidity,
                "pool_buys_24h": state.buys,
                "pool_sells_24h": state.sells,
            }
        )
        is_trap = pools.is_honeypot(pool) or state.liquidity == 0
        (traps if is_trap else live).add(pool.id)

    frame = pl.DataFrame(rows).with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in INPUT_SCHEMA.items() if name not in rows[0]
    )
    accused = set(raised_warnings(frame, FilterSettings()).filter("is_excluding")["token_id"])

    assert min(len(traps), len(live)) >= 10
    assert len(accused & traps) / len(traps) >= 0.9
    assert len(accused & live) / len(live) < 0.1
