"""Suites of CoinGecko and GeckoTerminal: good loads pass, and each suite notices what it is for."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from orchestration.lib.expectations import run_suite
from orchestration.lib.suite_parts import PreviousLoad
from orchestration.lib.suites_landing import LANDING_SUITES
from orchestration.sources.datasets import find_dataset

AS_OF = datetime(2025, 1, 6, tzinfo=UTC)
SUNDAY = date(2025, 1, 5)


def landed(label: str, **columns) -> pl.DataFrame:
    """Rows of a dataset with the columns that matter; all others are null."""
    dataset = find_dataset(*label.split("/"))
    common = {
        "source": dataset.source,
        "data_source": "live",
        "available_at": AS_OF,
        "loaded_at": AS_OF,
        "load_id": "1",
    }
    count = len(next(iter(columns.values())))
    values = columns | {name: [value] * count for name, value in common.items()}
    return pl.DataFrame({name: values.get(name, [None] * count) for name in dataset.landed_columns}).cast(
        pl.Schema(dataset.landed_columns)
    )


GOOD = {
    "coingecko/markets": landed(
        "coingecko/markets",
        coin_id=["bitcoin", "dust"],
        market_date=[SUNDAY] * 2,
        observed_at=[AS_OF] * 2,
        price_usd=[98_000.0, 1e-9],
        market_cap_usd=[1.9e12, 4e3],
        volume_24h_usd=[2e10, 0.0],
        circulating_supply_tokens=[1.9e7, None],
    ),
    "coingecko/coin_activity": landed(
        "coingecko/coin_activity",
        coin_id=["bitcoin", "dust"],
        market_date=[SUNDAY] * 2,
        watchlist_users=[1_541_900, 12],
        sentiment_up_share=[0.84, None],
        stars=[76_697, None],
    ),
    "coingecko/category_daily": landed(
        "coingecko/category_daily",
        category_id=["layer-1", "empty"],
        category_name=["Layer 1 (L1)", "Empty"],
        market_date=[SUNDAY] * 2,
        market_cap_usd=[2e12, None],
        volume_24h_usd=[4e10, None],
    ),
    "coingecko/global_daily": landed(
        "coingecko/global_daily",
        market_date=[SUNDAY],
        market_cap_usd=[2.6e12],
        volume_24h_usd=[9.5e10],
        btc_dominance=[0.58],
        eth_dominance=[0.1],
        active_coins=[17_397],
    ),
    "geckoterminal/pools": landed(
        "geckoterminal/pools",
        pool_id=["eth_0x1", "eth_0x2"],
        network=["eth"] * 2,
        pool_address=["0x1", "0x2"],
        found_as=["new", "followed"],
        market_date=[SUNDAY] * 2,
        price_usd=[1e-12, None],
        liquidity_usd=[0.0, None],
        volume_24h_usd=[5e3, 0.0],
        buys_24h=[20, 0],
    ),
    "geckoterminal/pool_candles": landed(
        "geckoterminal/pool_candles",
        pool_id=["eth_0x1"],
        market_date=[SUNDAY],
        open_usd=[1.0],
        high_usd=[2.0],
        low_usd=[0.5],
        close_usd=[1.5],
        volume_usd=[10.0],
    ),
    "geckoterminal/token_holders": landed(
        "geckoterminal/token_holders",
        network=["eth", "solana"],
        token_address=["0x1", "So1"],
        market_date=[SUNDAY] * 2,
        holders=[1_000, None],
        top_10_share=[0.5, None],
        score=[92.6, None],
    ),
}


def judged(label: str, frame: pl.DataFrame, previous: PreviousLoad | None = None):
    return run_suite(frame, LANDING_SUITES[label](as_of=AS_OF, previous=previous), name=label)


@pytest.mark.parametrize("label", GOOD)
def test_good_loads_pass(label):
    assert judged(label, GOOD[label], PreviousLoad(ids=1)).failures == ()


@pytest.mark.parametrize(
    ("label", "change", "column", "severity"),
    [
        ("coingecko/markets", {"price_usd": pl.lit(0.0)}, "price_usd", "critical"),
        ("coingecko/markets", {"market_cap_usd": pl.lit(1e16)}, "market_cap_usd", "warning"),
        ("coingecko/markets", {"market_cap_usd": pl.lit(None, pl.Float64)}, "market_cap_usd", "warning"),
        ("coingecko/markets", {"market_date": pl.lit(date(2025, 1, 3))}, "market_date", "warning"),
        ("coingecko/markets", {"coin_id": pl.lit("bitcoin")}, "coin_id, market_date, load_id", "critical"),
        ("coingecko/coin_activity", {"sentiment_up_share": pl.lit(84.0)}, "sentiment_up_share", "critical"),
        ("coingecko/coin_activity", {"deletions_4w": pl.lit(-5)}, "deletions_4w", "critical"),
        ("coingecko/coin_activity", {"market_date": pl.lit(date(2024, 12, 28))}, "market_date", "warning"),
        ("coingecko/category_daily", {"market_cap_usd": pl.lit(1e16)}, "market_cap_usd", "warning"),
        ("coingecko/global_daily", {"btc_dominance": pl.lit(58.0)}, "btc_dominance", "critical"),
        ("geckoterminal/pools", {"found_as": pl.lit("top")}, "found_as", "critical"),
        ("geckoterminal/pools", {"buys_24h": pl.lit(-1)}, "buys_24h", "critical"),
        ("geckoterminal/pool_candles", {"high_usd": pl.lit(1.2)}, "high_usd, close_usd", "warning"),
        ("geckoterminal/pool_candles", {"close_usd": pl.lit(None, pl.Float64)}, "close_usd", "critical"),
        ("geckoterminal/token_holders", {"top_10_share": pl.lit(50.0)}, "top_10_share", "critical"),
        ("geckoterminal/token_holders", {"holders": pl.lit(0)}, "holders", "critical"),
        ("geckoterminal/token_holders", {"holders": pl.lit(None, pl.Int64)}, "holders", "warning"),
    ],
)
def test_bad_loads_fail_where_they_are_bad(label, change, column, severity):
    result = judged(label, GOOD[label].with_columns(**change))

    assert (column, severity) in [(each.column, each.severity) for each in result.failures]


@pytest.mark.parametrize("label", ["coingecko/markets", "coingecko/category_daily"])
def test_a_list_that_shrinks_is_a_warning(label):
    result = judged(label, GOOD[label], PreviousLoad(ids=3))

    assert [each.severity for each in result.failures] == ["warning"]


def test_charts_may_be_a_week_old_and_no_older():
    label = "coingecko/market_daily"
    days = {"fresh": date(2024, 12, 30), "stale": date(2024, 12, 29)}
    frames = {
        name: landed(label, coin_id=["bitcoin"], symbol=["btc"], market_date=[day], price_usd=[9.8e4])
        for name, day in days.items()
    }

    assert judged(label, frames["fresh"]).failures == ()
    assert [each.column for each in judged(label, frames["stale"]).failures] == ["market_date"]
