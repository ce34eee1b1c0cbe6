"""Concentration of holders: few hands that can end the price when they like.

Belongs here: the share of the largest addresses. Does not: flows between them (`models_ml/features/holders.py`).

The ten largest addresses often are exchanges, bridges, locks and the pool itself, which no free source tells apart: below nearly all of
the supply the warning is shown and excludes nobody. Whether liquidity is locked no source that is read says.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning, percent


class HolderThresholds(Thresholds):
    """Fractions of the supply."""

    max_top_10_share: float = Field(default=0.8, gt=0, le=1)
    excluding_top_10_share: float = Field(default=0.95, gt=0, le=1)


def holder_warnings(limits: HolderThresholds) -> tuple[TokenWarning, ...]:
    """The one warning of this subject."""
    return (
        TokenWarning(
            name="concentrated_holders",
            inputs=("top_10_holder_share",),
            value=pl.col("top_10_holder_share"),
            threshold=pl.lit(limits.max_top_10_share),
            is_raised=pl.col("top_10_holder_share") >= limits.max_top_10_share,
            reason=pl.format(
                "ten addresses hold {} of the supply (exchanges and locks among them are not told apart)",
                percent(pl.col("top_10_holder_share")),
            ),
            meaning="Share of the supply that the ten largest addresses of the token's largest contract hold.",
            unit="fraction of the supply",
            is_excluding=pl.col("top_10_holder_share") >= limits.excluding_top_10_share,
        ),
    )
