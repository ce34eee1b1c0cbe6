"""Which pools of decentralised exchanges are worth following: those of tokens that no exchange lists yet.

Belongs here: the choice. Does not: requests and landing (`geckoterminal.py`).

A pool is followed from the day it has enough liquidity, the deepest pool of its token first, until an exchange lists the
token, half a year has passed since we first saw it, or it has not traded for two weeks. Draining does not end it: how a
pool ends is what its candles are read for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

import polars as pl

from orchestration.lib.landing import LandingStore
from orchestration.sources.datasets import find_dataset

LISTED_DAYS: Final = 30
"""A market without a candle for so long counts as delisted."""

SEEN_DAYS: Final = 7
"""A pool seen longer ago is not begun with: nobody knows what has become of its liquidity."""

FOLLOWED_DAYS: Final = 180
SILENT_DAYS: Final = 14


def listed_tickers(store: LandingStore, exchanges: Iterable[str], *, last: date) -> set[str]:
    """Tickers, upper case, that had a candle on any exchange within the last 30 days."""
    tickers: set[str] = set()
    for exchange in exchanges:
        newest = store.newest_market_dates(find_dataset(exchange, "candles_daily"), by="market_id")
        recent = (market for market, day in newest.items() if (last - day).days <= LISTED_DAYS)
        tickers |= {market.partition("/")[0].upper() for market in recent}
    return tickers


def choose_pools(
    seen: pl.DataFrame, *, candles: dict[str, date], listed: set[str], last: date, most: int, least_liquidity_usd: float
) -> pl.DataFrame:
    """Choose the pools to follow.

    Args:
        seen: Rows of `geckoterminal/pools`, all days.
        candles: Day of the newest candle by pool.
        listed: Tickers on exchanges, upper case. A token counts as listed where CoinGecko knows it and its ticker is
            among them: without the first, anybody could call a token BTC.
        last: Last finished day.
        most: How many pools at most.
        least_liquidity_usd: What a pool must hold to be begun with.

    Returns:
        The newest row of each chosen pool; pools followed already come first, then those with the most liquidity.
    """
    newest = seen.sort("market_date").unique("pool_id", keep="last", maintain_order=True)
    first_seen = seen.group_by("pool_id").agg(first_date=pl.col("market_date").min())
    money = seen["quote_token_address"].drop_nulls().unique()  # what others are paid in is no news
    active = [pool for pool, day in candles.items() if (last - day).days <= SILENT_DAYS]
    is_active = pl.col("pool_id").is_in(active)
    is_listed = pl.col("coin_id").is_not_null() & pl.col("base_token_symbol").str.to_uppercase().is_in(list(listed))
    is_worthwhile = (pl.col("liquidity_usd") >= least_liquidity_usd) & (
        pl.col("market_date") >= last - timedelta(days=SEEN_DAYS)
    )
    return (
        newest.join(first_seen, on="pool_id")
        .with_columns(is_active=is_active)
        .filter(
            pl.col("first_date") > last - timedelta(days=FOLLOWED_DAYS),
            pl.col("base_token_address").is_not_null() & ~pl.col("base_token_address").is_in(money.implode()),
            ~is_listed.fill_null(value=False),
            is_active | is_worthwhile.fill_null(value=False),
        )
        .sort("is_active", "liquidity_usd", "pool_id", descending=[True, True, False], nulls_last=True)
        .unique(["network", "base_token_address"], keep="first", maintain_order=True)
        .head(most)
    )
