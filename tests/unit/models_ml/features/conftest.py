"""Fixtures of the feature tests: a small made-up market with gaps, missing values and odd tokens."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from models_ml.features.catalogue import CATALOGUE
from models_ml.features.compute import token_features
from models_ml.features.feature import FACT_COLUMNS, ONCHAIN_COLUMNS

START = dt.date(2023, 1, 1)
DAYS = 460
ONCHAIN_SCHEMA = {"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
FACTS_SCHEMA = {"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(FACT_COLUMNS, pl.Float64)}
NO_ONCHAIN = pl.DataFrame(schema=ONCHAIN_SCHEMA)


@dataclass(frozen=True)
class Frames:
    """What `token_features` reads."""

    daily: pl.DataFrame
    onchain: pl.DataFrame
    facts: pl.DataFrame
    news: pl.DataFrame

    def between(self, first: dt.date, last: dt.date) -> "Frames":
        """The rows of the days from `first` to `last`."""
        return self.each(lambda rows: rows.filter(pl.col("market_date").is_between(first, last)))

    def each(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> "Frames":
        """The same frames, each of them changed."""
        return Frames(change(self.daily), change(self.onchain), change(self.facts), change(self.news))

    def features(self, features: Any = CATALOGUE, **options: Any) -> pl.DataFrame:
        """What `token_features` makes of them."""
        return token_features(self.daily, self.onchain, features, facts=self.facts, news=self.news, **options)


def read_on(rng: np.random.Generator, ages: np.ndarray, placed: tuple[int, ...], *, share: float) -> np.ndarray:
    """Which days were read: those placed by their age on the last day, a share of all, and some of those long ago."""
    return np.isin(ages, placed) | (rng.random(DAYS) < share) | ((ages > 70) & (rng.random(DAYS) < 0.05))


def sparse_facts(rng: np.random.Generator) -> pl.DataFrame:
    """Facts of some tokens: what comes daily with holes, and what is read now and then with its readings placed from the last day.

    `ethereum` was read at the far ends of what a growth between two readings remembers, `holed` at the far end of what one
    reading is carried for; `bitcoin` and `patchy` at random.
    """
    frames = []
    for name in ("bitcoin", "ethereum", "holed", "patchy"):
        ages = np.arange(DAYS)[::-1]

        is_placed = name in ("ethereum", "holed")
        people = read_on(rng, ages, (10, 63) if name == "ethereum" else (35,), share=0 if is_placed else 0.05)
        stars = read_on(rng, ages, (5, 70) if name == "ethereum" else (1, 9), share=0 if is_placed else 0.2)
        known = {
            **dict.fromkeys(FACT_COLUMNS, rng.random(DAYS) > 0.1),
            "mentions": rng.random(DAYS) < 0.1,
            **dict.fromkeys(("news_texts", "news_sentiment"), rng.random(DAYS) < 0.6),
            **dict.fromkeys(("social_texts", "social_sentiment"), rng.random(DAYS) < 0.6),
            **dict.fromkeys(("commits_week", "authors_week", "commits_repositories"), ages % 7 == 6),
            **dict.fromkeys(("stars", "stars_repositories"), stars),
            **dict.fromkeys(("commits_4w", "watchlist_users", "sentiment_up_share", "reddit_subscribers"), people),
            **dict.fromkeys(("holders", "top_10_holder_share"), people),
        }
        scale = {"funding_rate_8h": 1e-4, "bid_ask_spread": 1e-3, "depth_2pct_usd": 1e5, "cliff_unlock_30d_tokens": 1e5}
        values = {column: scale.get(column, 1e3) * rng.lognormal(0, 0.3, DAYS) for column in FACT_COLUMNS}
        values["mentions"] = rng.integers(1, 9, DAYS).astype(float)
        values |= {name: rng.uniform(-1, 1, DAYS) for name in ("news_sentiment", "social_sentiment")}
        values |= {name: rng.integers(1, 9, DAYS).astype(float) for name in ("news_texts", "social_texts")}
        values["open_interest_venues"] = np.where(ages == 3, 4.0, 3.0)
        values["stars_repositories"] = values["commits_repositories"] = np.full(DAYS, 5.0)
        frames.append(
            pl.DataFrame(
                {
                    "token_id": [name] * DAYS,
                    "market_date": [START + dt.timedelta(days=day) for day in range(DAYS)],
                    **{column: np.where(known[column], values[column], np.nan) for column in FACT_COLUMNS},
                },
                schema=FACTS_SCHEMA,
            ).with_columns(pl.col(FACT_COLUMNS).fill_nan(None))
        )
    # DeFi is known of patchy only through its protocols, of ethereum only through its chain.
    return (
        pl.concat(frames)
        .with_columns(
            pl.when(pl.col("token_id") != "patchy").then(pl.col("chain_tvl_usd")),
            pl.when(pl.col("token_id") != "ethereum").then(pl.col("protocol_tvl_usd")),
        )
        .filter(~pl.all_horizontal(pl.col(FACT_COLUMNS).is_null()))
    )


@pytest.fixture(scope="session")
def candles_of() -> Callable[..., pl.DataFrame]:
    """Makes the daily frame of one token from its prices on consecutive days; None is a day without a row."""

    def make(
        prices: Any, *, name: str = "token", volumes: Any = 1e6, supply: Any = 1e8, first: dt.date = START
    ) -> pl.DataFrame:
        count = len(prices)
        return (
            pl.DataFrame(
                {
                    "token_id": [name] * count,
                    "market_date": [first + dt.timedelta(days=day) for day in range(count)],
                    "price_usd": pl.Series(prices, dtype=pl.Float64),
                    "market_cap_usd": pl.Series(np.broadcast_to(supply, count), dtype=pl.Float64),
                    "is_supply_carried": [False] * count,
                    "volume_24h_usd": pl.Series(np.broadcast_to(volumes, count), dtype=pl.Float64),
                    "first_date": [first] * count,
                }
            )
            .with_columns(pl.col("market_cap_usd") * pl.col("price_usd"))
            .drop_nulls("price_usd")
        )

    return make


@pytest.fixture(scope="session")
def no_onchain() -> pl.DataFrame:
    return NO_ONCHAIN


@pytest.fixture(scope="session")
def market_of(candles_of: Callable[..., pl.DataFrame]) -> Callable[[int], Frames]:
    """Makes a market from a seed: majors with on-chain data, ordinary tokens with holes, and the odd ones.

    `claim` follows bitcoin exactly, `standstill` stops moving, `spiky` has prints far beyond the cut of daily returns,
    `young` has eight days, `halted` misses three weeks, `dwarf` is too small for the market's median.
    """

    def make(seed: int) -> Frames:
        rng = np.random.default_rng(seed)

        def walk(days: int, daily: float = 0.05) -> np.ndarray:
            return 10 ** rng.uniform(-3, 3) * np.exp(np.cumsum(rng.normal(0, daily, days)))

        def traded(days: int) -> np.ndarray:
            return np.exp(rng.normal(15, 1, days))

        prices = {"bitcoin": walk(DAYS, 0.03), "ethereum": walk(DAYS, 0.04)}
        prices["claim"] = prices["bitcoin"] * 0.01
        prices["standstill"] = np.concatenate([quiet := walk(250), np.full(DAYS - 250, quiet[-1])])
        prices["spiky"] = walk(DAYS) * np.where(rng.random(DAYS) < 0.02, 30.0, 1.0)
        prices["young"] = walk(8)
        prices |= {name: walk(DAYS) for name in ("halted", "dwarf", "holed", "patchy")}
        frames = [
            candles_of(
                path,
                name=name,
                volumes=traded(len(path)) * (1e-4 if name == "dwarf" else 1),
                supply=1e9 / path[0] * np.exp(np.cumsum(rng.normal(1e-3, 1e-3, len(path)))),
                first=START + dt.timedelta(days=DAYS - len(path)),
            )
            for name, path in prices.items()
        ]
        daily = pl.concat(frames)
        unknown_cap, unknown_volume, missing = (pl.Series(rng.random(daily.height)) for _ in range(3))
        is_holed = pl.col("token_id").is_in(["holed", "patchy", "spiky"])
        day = (pl.col("market_date") - START).dt.total_days()
        is_halted = (pl.col("token_id") == "halted") & day.is_between(380, 400)
        is_unpriced_major = (pl.col("token_id") == "bitcoin") & day.is_in([200, 201, 410])
        is_missing = (is_holed & (missing < 0.05)) | is_halted | is_unpriced_major
        daily = daily.with_columns(
            market_cap_usd=pl.when(unknown_cap > 0.05).then(pl.col("market_cap_usd")),
            volume_24h_usd=pl.when(unknown_volume > 0.05).then(pl.col("volume_24h_usd")),
        ).filter(~is_missing)
        onchain = [
            pl.DataFrame(
                {
                    "token_id": [name] * DAYS,
                    "market_date": [START + dt.timedelta(days=offset) for offset in range(DAYS)],
                    "active_addresses": np.exp(rng.normal(10, 0.2, DAYS)),
                    "transactions": np.exp(rng.normal(11, 0.2, DAYS)),
                    "mvrv_ratio": rng.uniform(0.5, 3, DAYS),
                    "exchange_inflow_tokens": rng.uniform(0, 1e4, DAYS),
                    "exchange_outflow_tokens": rng.uniform(0, 1e4, DAYS),
                    "supply_tokens": np.full(DAYS, 1e7),
                    "fees_tokens": rng.uniform(1, 100, DAYS),
                    "transfer_value_usd": np.exp(rng.normal(18, 0.5, DAYS)),
                },
                schema=ONCHAIN_SCHEMA,
            )
            .with_columns(
                pl.when(pl.Series(rng.random(DAYS)) > 0.05).then(pl.col(metric)) for metric in ONCHAIN_COLUMNS
            )
            .filter(pl.Series(rng.random(DAYS) > 0.03))
            for name in ("bitcoin", "ethereum", "holed")
        ]
        polled = [START + dt.timedelta(days=day) for day in range(DAYS) if day % 11]
        news = pl.DataFrame({"market_date": polled, "headlines": rng.integers(10, 60, len(polled))})
        return Frames(daily, pl.concat(onchain), sparse_facts(rng), news)

    return make


@pytest.fixture(scope="session")
def market(market_of: Callable[[int], Frames]) -> Frames:
    return market_of(11)
