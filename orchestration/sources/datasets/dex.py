"""Pools of decentralised exchanges and the holders of their tokens: what GeckoTerminal gives.

Belongs here: tokens that no exchange lists yet, and holder counts. Does not: exchanges (`exchanges.py`).
"""

from __future__ import annotations

from typing import Final

from orchestration.sources.datasets.base import (
    INSTANT,
    MARKET_DATE,
    SEEN_DATE,
    Column,
    Dataset,
    Rule,
    below_zero,
    count,
    not_above_zero,
    number,
    outside,
    text,
)

POOL_ID = text("network_address, GeckoTerminal's id")

_POOLS = Dataset(
    source="geckoterminal",
    name="pools",
    fields={
        "pool_id": POOL_ID,
        "network": text("chain, as GeckoTerminal names it"),
        "pool_address": text("address of the pool"),
        "name": text("tokens of the pool, e.g. GME / WETH", nullable=True),
        "found_as": text("trending or new, of both the first; followed where it was asked for by its address"),
        "base_token_address": text("token the prices are of", nullable=True),
        "base_token_symbol": text("ticker of that token, which anybody may give it", nullable=True),
        "coin_id": text("CoinGecko id of that token, where it has one", nullable=True),
        "quote_token_address": text("token it is paid in", nullable=True),
        "dex": text("exchange the pool belongs to", nullable=True),
        "created_at": Column(INSTANT, "UTC instant", "when the pool was made", nullable=True),
        "market_date": SEEN_DATE,
        "price_usd": number("USD per token", "of the base token"),
        "fdv_usd": number("USD", "price times all tokens"),
        "market_cap_usd": number("USD", "mostly not given"),
        "liquidity_usd": number("USD", "reserve of both tokens; honeypots and drained pools have 0"),
        "volume_24h_usd": number("USD per 24 h", "traded"),
        "buys_24h": count("trades", "that buy the base token"),
        "sells_24h": count("trades", "that sell it"),
        "buyers_24h": count("addresses", "that bought"),
        "sellers_24h": count("addresses", "that sold"),
    },
    key=("pool_id", "market_date"),
    description="One row per pool and day read.",
    rules=(
        not_above_zero(("price_usd",)),
        below_zero(("liquidity_usd", "volume_24h_usd", "buys_24h", "sells_24h", "buyers_24h", "sellers_24h")),
    ),
)

_POOL_CANDLES = Dataset(
    source="geckoterminal",
    name="pool_candles",
    fields={
        "pool_id": POOL_ID,
        "market_date": MARKET_DATE,
        "open_usd": number("USD per token", "first price of the day", nullable=False),
        "high_usd": number("USD per token", "highest price of the day", nullable=False),
        "low_usd": number("USD per token", "lowest price of the day", nullable=False),
        "close_usd": number("USD per token", "last price of the day", nullable=False),
        "volume_usd": number("USD per day", "traded"),
    },
    key=("pool_id", "market_date"),
    description="One row per pool and finished day; keyless history is about half a year.",
    rules=(
        not_above_zero(("open_usd", "high_usd", "low_usd", "close_usd")),
        Rule("high_usd is below low_usd", "high_usd < low_usd"),
        below_zero(("volume_usd",)),
    ),
)

_TOKEN_HOLDERS = Dataset(
    source="geckoterminal",
    name="token_holders",
    fields={
        "network": text("chain, as GeckoTerminal names it"),
        "token_address": text("address of the token's contract"),
        "market_date": SEEN_DATE,
        "coin_id": text("CoinGecko id, where it has one", nullable=True),
        "symbol": text("ticker", nullable=True),
        "holders": count("addresses", "that hold the token"),
        "top_10_share": number("fraction", "of the supply that the ten largest holders have"),
        "next_30_share": number("fraction", "of the supply that holders 11 to 40 have; told on Solana only"),
        "next_40_share": number("fraction", "of the supply that holders 11 to 50 have; told on all other chains"),
        "score": number("points, 0-100", "GeckoTerminal's own score"),
        "is_honeypot": text("yes, no or unknown: whether it can be bought and not sold", nullable=True),
        "has_mint_authority": text("yes, no or unknown: whether somebody can still mint", nullable=True),
    },
    key=("network", "token_address", "market_date"),
    description=(
        "One row per token contract and day read: how many hold it, and how much the largest have. All is null where "
        "GeckoTerminal does not know the token, which is news of that day too."
    ),
    cadence_days=28,
    rules=(
        below_zero(("holders",)),
        outside("top_10_share", 0, 1),
        outside("next_30_share", 0, 1),
        outside("next_40_share", 0, 1),
        outside("score", 0, 100),
    ),
)

DATASETS: Final = (_POOLS, _POOL_CANDLES, _TOKEN_HOLDERS)
