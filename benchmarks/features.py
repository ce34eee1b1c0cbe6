"""Features: polars expressions against a pandas loop over tokens, and a new week against a full rebuild."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.timing import Row, compare
from models_ml.features.catalogue import CATALOGUE, LONGEST_LOOK_BACK_DAYS
from models_ml.features.compute import ONCHAIN_COLUMNS, token_features

TOKENS, DAYS = 300, 1095
COMPARED = (
    "return_7d",
    "return_30d",
    "price_to_sma_20d",
    "volatility_30d",
    "drawdown_90d",
    "best_day_30d",
    "turnover_30d",
)


def panel() -> pl.DataFrame:
    """A random panel of token days with the columns of fct_daily that features read."""
    generator = np.random.default_rng(1)
    days = [date(2022, 1, 1) + timedelta(days=step) for step in range(DAYS)]
    steps = generator.standard_t(4, size=(TOKENS, DAYS)) * 0.03
    prices = np.exp(np.cumsum(steps, axis=1))
    names = ["bitcoin", "ethereum", *(f"token-{number:03d}" for number in range(TOKENS - 2))]
    return pl.DataFrame(
        {
            "token_id": np.repeat(names, DAYS),
            "market_date": days * TOKENS,
            "price_usd": prices.ravel(),
            "market_cap_usd": prices.ravel() * 1e8,
            "is_supply_carried": [False] * (TOKENS * DAYS),
            "volume_24h_usd": generator.lognormal(14, 1, TOKENS * DAYS),
            "first_date": [days[0]] * (TOKENS * DAYS),
        }
    )


def pandas_features(frame: pd.DataFrame) -> pd.DataFrame:
    """The compared features as a plain loop over tokens."""
    parts = []
    for _, token in frame.groupby("token_id", sort=False):
        price = token["price_usd"]
        returns = np.log(price).diff()
        parts.append(
            pd.DataFrame(
                {
                    "return_7d": price / price.shift(7) - 1,
                    "return_30d": price / price.shift(30) - 1,
                    "price_to_sma_20d": price / price.rolling(20, min_periods=10).mean() - 1,
                    "volatility_30d": returns.rolling(30, min_periods=15).std() * np.sqrt(365),
                    "drawdown_90d": price / price.rolling(90, min_periods=45).max() - 1,
                    "best_day_30d": returns.rolling(30, min_periods=15).max(),
                    "turnover_30d": (token["volume_24h_usd"] / token["market_cap_usd"])
                    .rolling(30, min_periods=10)
                    .mean(),
                }
            )
        )
    return pd.concat(parts)


def measure() -> list[Row]:
    """Ratios for the same features on the same panel, and for a week against all of it."""
    daily = panel()
    onchain = pl.DataFrame(
        schema={"token_id": pl.String, "market_date": pl.Date, **dict.fromkeys(ONCHAIN_COLUMNS, pl.Float64)}
    )
    chosen = [feature for feature in CATALOGUE if feature.name in COMPARED]
    pandas_daily = daily.to_pandas()
    last = daily["market_date"].max()
    recent = daily.filter(pl.col("market_date") >= last - timedelta(days=LONGEST_LOOK_BACK_DAYS + 8))
    return [
        compare(
            f"{len(chosen)} features of {TOKENS} tokens x {DAYS} days",
            lambda: token_features(daily, onchain, chosen),
            lambda: pandas_features(pandas_daily),
            note="plain: pandas, loop over tokens",
        ),
        compare(
            f"a new week of all {len(CATALOGUE)} features",
            lambda: token_features(recent, onchain),
            lambda: token_features(daily, onchain),
            note="plain: all days again",
        ),
    ]
