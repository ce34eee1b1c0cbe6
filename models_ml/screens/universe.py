"""The low-cap universe: whom the moonshot screen and its chance model look at.

Belongs here: who belongs to it, and the buckets in which its tokens are compared.
Does not: the checklist and further reasons that keep a token from being a pick (`moonshots.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from models_ml.learning.places import place_among
from models_ml.screens.moonshots import MoonshotSettings

NAMED_BY_CONTRACT: Final = "geckoterminal:"
"""How the id of a token begins that only pools of decentralised exchanges are known of. Nobody counts its circulating supply: its market
cap is the fully diluted one, which no true cap exceeds."""

VOLATILITY_QUINTILES: Final = 5
CAP_TERCILES: Final = 3


def is_low_cap(settings: MoonshotSettings) -> pl.Expr:
    """Whether a token-week belongs to the universe, from is_stable, is_wrapped, market_cap_usd, volume_30d_median_usd, age_days.

    A figure that is unknown counts as not met.
    """
    cap, volume, age = pl.col("market_cap_usd"), pl.col("volume_30d_median_usd"), pl.col("age_days")
    return (
        ~pl.col("is_stable")
        & ~pl.col("is_wrapped")
        & cap.is_between(settings.min_market_cap_usd, settings.max_market_cap_usd)
        & (volume >= settings.min_volume_30d_usd)
        & (volume >= settings.min_volume_to_cap * cap)
        & (age >= settings.min_age_days)
    ).fill_null(value=False)


def with_buckets(rows: pl.DataFrame) -> pl.DataFrame:
    """Add volatility_quintile (1 is calmest) and cap_tercile (1 is smallest) within each week.

    Args:
        rows: One row a week and token: as_of_week, volatility_30d (null where unknown: no quintile), market_cap_usd.
    """
    return rows.with_columns(
        volatility_quintile=_bucket("volatility_30d", VOLATILITY_QUINTILES),
        cap_tercile=_bucket("market_cap_usd", CAP_TERCILES),
    )


def _bucket(column: str, count: int) -> pl.Expr:
    """Number (from 1) of the equal part of its week a row lies in."""
    place = place_among(pl.col(column), "as_of_week")
    return (place * count).floor().clip(0, count - 1).cast(pl.Int32) + 1
