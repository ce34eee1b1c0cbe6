"""Features of a token against those of others on the same day: its place among them, and its distance from its sector's median.

Belongs here: what is ranked and what is compared with the sector, and how. Does not: the features themselves (one module a family),
who is in the universe or in which sector (the warehouse).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from models_ml.features.feature import Feature

RANKED = (
    *(
        "return_7d",
        "return_30d",
        "return_90d",
        "return_vs_btc_30d",
        "price_to_sma_50d",
        "rsi_14d",
        "regression_slope_30d",
    ),
    *("volatility_30d", "drawdown_90d", "beta_btc_90d", "sharpe_90d"),
    *("volume_30d_median_usd", "turnover_30d", "volume_surge_7d_30d", "amihud_illiquidity_30d"),
    *("log_market_cap", "supply_growth_90d", "fees_30d_to_market_cap", "market_cap_to_tvl"),
    *("funding_rate_7d", "commits_growth_12w", "news_mention_share_7d"),
)
"""Features with a place, 0-1, among the tokens of the day: `rank_<feature>`."""

COMPARED = (
    *(
        "return_7d",
        "return_30d",
        "return_90d",
        "volatility_30d",
        "turnover_30d",
        "volume_surge_7d_30d",
        "market_cap_to_tvl",
    ),
)
"""Features with a distance from the median of the token's sector on the day: `sector_relative_<feature>`."""

LEAST_TOKENS = 5
"""The median of fewer tokens is one token's news."""


def names_read(features: Sequence[Feature]) -> list[str]:
    """Those of some features that are ranked or compared, each once."""
    return [feature.name for feature in features if feature.name in {*RANKED, *COMPARED}]


def relative_features(features: pl.DataFrame) -> pl.DataFrame:
    """Ranks and distances of the tokens of each day.

    Args:
        features: One row a token and day of the universe: token_id, market_date, sector (nullable), and of `RANKED` and `COMPARED`
            what is to be ranked and compared.

    Returns:
        The rows with token_id, market_date, sector, `rank_<feature>` as Float32 in (0, 1) (equal values share the mean of their
        places, unknown ones have none and do not count) and `sector_relative_<feature>` as Float32, null without a sector and where
        fewer than `LEAST_TOKENS` of the sector have the feature.
    """
    day, sector = "market_date", ["market_date", "sector"]
    ranks = [
        ((pl.col(name).rank("average").over(day) - 0.5) / pl.col(name).count().over(day))
        .cast(pl.Float32)
        .alias(f"rank_{name}")
        for name in RANKED
        if name in features.columns
    ]
    distances = [
        pl.when(pl.col("sector").is_not_null() & (pl.col(name).count().over(sector) >= LEAST_TOKENS))
        .then(pl.col(name) - pl.col(name).median().over(sector))
        .cast(pl.Float32)
        .alias(f"sector_relative_{name}")
        for name in COMPARED
        if name in features.columns
    ]
    return features.select("token_id", day, "sector", *ranks, *distances)
