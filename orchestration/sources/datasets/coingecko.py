"""What CoinGecko gives: coins, their days, categories, communities, and the market as a whole.

Belongs here: datasets of CoinGecko. Does not: pools of decentralised exchanges (`dex.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    HIGHEST_PRICE,
    OBSERVED_AT,
    SEEN_DATE,
    Column,
    Dataset,
    above,
    below_zero,
    count,
    not_above_zero,
    number,
    outside,
    text,
)

COIN_ID = Column(pl.String, "", "CoinGecko id, assigned once, the token's identity where there is one")
COIN_SYMBOL = Column(pl.String, "", "ticker, lower case; shared by several coins, never a join key", nullable=True)
MARKET_CAP = Column(pl.Float64, "USD", "market capitalisation; the provider's 0 (unknown) is null here", nullable=True)
VOLUME_24H = Column(pl.Float64, "USD per 24 h", "traded over the rolling day up to the close", nullable=True)

_MARKET_DAILY = Dataset(
    source="coingecko",
    name="market_daily",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "market_date": Column(pl.Date, "UTC day", "day of the close: a point at 00:00 UTC of D closes D - 1"),
        "price_usd": Column(pl.Float64, "USD per token", "volume-weighted price over exchanges at the close"),
        "market_cap_usd": MARKET_CAP,
        "volume_24h_usd": VOLUME_24H,
    },
    key=("coin_id", "market_date"),
    description="One row per coin and day.",
    rules=(
        not_above_zero(("price_usd",)),
        above(("price_usd",), HIGHEST_PRICE),
        below_zero(("market_cap_usd", "volume_24h_usd")),
    ),
)

_SUPPLIES = ("circulating_supply_tokens", "total_supply_tokens", "max_supply_tokens")

_MARKETS = Dataset(
    source="coingecko",
    name="markets",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "name": Column(pl.String, "", "full name", nullable=True),
        "market_date": Column(pl.Date, "UTC day", "last finished day when the row was read"),
        "observed_at": OBSERVED_AT,
        "price_usd": Column(pl.Float64, "USD per token", "price when last updated"),
        "market_cap_usd": MARKET_CAP,
        "volume_24h_usd": VOLUME_24H,
        "circulating_supply_tokens": Column(pl.Float64, "tokens", "in circulation", nullable=True),
        "total_supply_tokens": Column(pl.Float64, "tokens", "minted less burned", nullable=True),
        "max_supply_tokens": Column(
            pl.Float64, "tokens", "ever to exist; null where unlimited or unknown", nullable=True
        ),
    },
    key=("coin_id", "market_date"),
    description="One row per coin and day: the snapshot of all coins, for universe and supply.",
    rules=(
        not_above_zero(("price_usd",)),
        above(("price_usd",), HIGHEST_PRICE),
        below_zero(("market_cap_usd", "volume_24h_usd", *_SUPPLIES)),
    ),
)

_ASSETS = Dataset(
    source="coingecko",
    name="assets",
    fields={
        "coin_id": COIN_ID,
        "symbol": COIN_SYMBOL,
        "name": Column(pl.String, "", "full name", nullable=True),
        "platform": Column(pl.String, "", "chain that issues it; null for coins of their own chain", nullable=True),
        "genesis_date": Column(pl.Date, "UTC day", "first block, where stated", nullable=True),
        "homepage": Column(pl.String, "", "address of the project", nullable=True),
        "github_repos": Column(pl.String, "", "JSON list of repository addresses", nullable=True),
        "is_stablecoin": Column(pl.Boolean, "", "pegged to a currency; null = not said", nullable=True),
        "is_wrapped": Column(pl.Boolean, "", "wraps or bridges another token; null = not said", nullable=True),
        "is_native": Column(pl.Boolean, "", "has a chain of its own; null = not said", nullable=True),
    },
    key=("coin_id",),
    description="One row per coin: metadata of no date, so knowledge of later days; marked hindsight downstream.",
)

_ASSET_CATEGORIES = Dataset(
    source="coingecko",
    name="asset_categories",
    fields={
        "coin_id": COIN_ID,
        "category_id": Column(pl.String, "", "id in addresses; null where only the name is known", nullable=True),
        "category_name": Column(pl.String, "", "display name"),
    },
    key=("coin_id", "category_name"),
    description="One row per coin and category it sits in, of no date; marked hindsight downstream.",
)


_CONTRACTS = Dataset(
    source="coingecko",
    name="contracts",
    fields={
        "coin_id": COIN_ID,
        "platform": text("chain, as CoinGecko names it"),
        "contract_address": text("address of the token's contract on that chain, as delivered"),
    },
    key=("coin_id", "platform"),
    description="One row per coin and chain it is issued on, of no date; marked hindsight downstream.",
)

_COIN_ACTIVITY = Dataset(
    source="coingecko",
    name="coin_activity",
    fields={
        "coin_id": COIN_ID,
        "market_date": SEEN_DATE,
        "watchlist_users": count("users", "who keep the coin on a watch list"),
        "sentiment_up_share": number("fraction", "of the day's votes that are up"),
        "reddit_subscribers": count("users", "of the coin's subreddit; mostly no longer given"),
        "telegram_users": count("users", "of the coin's channel; often not given"),
        "stars": count("stars", "of the coin's repositories"),
        "forks": count("forks", "of the coin's repositories"),
        "contributors": count("people", "who had a pull request merged, ever"),
        "pull_requests_merged": count("pull requests", "merged, ever"),
        "commits_4w": count("commits", "of the last four weeks"),
        "additions_4w": count("lines", "added in the last four weeks"),
        "deletions_4w": count("lines", "deleted in the last four weeks, as a positive number"),
    },
    key=("coin_id", "market_date"),
    description="One row per coin and day read: community and developers as CoinGecko counts them.",
    cadence_days=28,
    rules=(
        outside("sentiment_up_share", 0, 1),
        below_zero(("watchlist_users", "reddit_subscribers", "telegram_users", "stars", "forks", "commits_4w")),
    ),
)

_CATEGORY_DAILY = Dataset(
    source="coingecko",
    name="category_daily",
    fields={
        "category_id": text("id in addresses"),
        "category_name": text("display name"),
        "market_date": SEEN_DATE,
        "market_cap_usd": number("USD", "of all coins of the category"),
        "volume_24h_usd": number("USD per 24 h", "of all coins of the category"),
    },
    key=("category_id", "market_date"),
    description="One row per category and day read.",
    rules=(below_zero(("market_cap_usd", "volume_24h_usd")),),
)

_GLOBAL_DAILY = Dataset(
    source="coingecko",
    name="global_daily",
    fields={
        "market_date": SEEN_DATE,
        "market_cap_usd": number("USD", "of all coins", nullable=False),
        "volume_24h_usd": number("USD per 24 h", "of all coins", nullable=False),
        "btc_dominance": number("fraction", "of the market cap that is bitcoin"),
        "eth_dominance": number("fraction", "of the market cap that is ether"),
        "active_coins": count("coins", "that CoinGecko follows"),
    },
    key=("market_date",),
    description="One row per day read, for the whole market.",
    rules=(
        not_above_zero(("market_cap_usd",)),
        below_zero(("volume_24h_usd",)),
        outside("btc_dominance", 0, 1),
        outside("eth_dominance", 0, 1),
    ),
)

DATASETS: Final = (
    _MARKET_DAILY,
    _MARKETS,
    _ASSETS,
    _ASSET_CATEGORIES,
    _CONTRACTS,
    _COIN_ACTIVITY,
    _CATEGORY_DAILY,
    _GLOBAL_DAILY,
)
