"""Artefacts of identity: redenominations, migrations and prices that were not believed, after which figures of the past mislead.

Belongs here: swaps into a successor, splits of the unit, prices held back. Does not: who succeeds whom (`dim_tokens`).
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import NEVER_EXCLUDES, Thresholds, TokenWarning, number


class IdentityThresholds(Thresholds):
    """Counts and ratios."""

    max_split_ratio: float = Field(default=2.0, gt=1)
    min_prices_held_back: int = Field(default=1, ge=1)


def identity_warnings(limits: IdentityThresholds) -> tuple[TokenWarning, ...]:
    """The three warnings of this subject."""
    step = pl.max_horizontal(pl.col("split_ratio_30d"), 1 / pl.col("split_ratio_30d"))
    return (
        TokenWarning(
            name="migrated",
            inputs=("is_migrated",),
            value=pl.col("is_migrated").cast(pl.Float64),
            threshold=pl.lit(1.0),
            is_raised=pl.col("is_migrated"),
            reason=pl.format(
                "its holders can swap it into {}: what is left of it is not what its history was",
                pl.col("successor_token_id").fill_null("another token"),
            ),
            meaning="A swap into a successor had opened by the close.",
            unit="1 for yes",
        ),
        TokenWarning(
            name="redenominated",
            inputs=("split_ratio_30d",),
            value=step,
            threshold=pl.lit(limits.max_split_ratio),
            is_raised=step >= limits.max_split_ratio,
            reason=pl.format(
                "its unit changed within 30 days (one old token for {} new ones, the price moved by the inverse): returns across that day "
                "are no returns",
                number(pl.col("split_ratio_30d")),
            ),
            meaning="Largest daily step of the implied supply in 30 days against which the price moved by the inverse.",
            unit="ratio",
        ),
        TokenWarning(
            name="price_held_back",
            inputs=("prices_held_back_30d",),
            value=pl.col("prices_held_back_30d").cast(pl.Float64),
            threshold=pl.lit(float(limits.min_prices_held_back)),
            is_raised=pl.col("prices_held_back_30d") >= limits.min_prices_held_back,
            reason=pl.format(
                "{} of its prices in 30 days were not believed when they came: read its returns with care",
                pl.col("prices_held_back_30d"),
            ),
            meaning="Prices of 30 days over five times away from those before, which nothing spoke for.",
            unit="prices of 30 days",
            is_excluding=NEVER_EXCLUDES,
        ),
    )
