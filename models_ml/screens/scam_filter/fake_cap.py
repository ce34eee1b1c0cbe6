"""Fake market caps: a number of tokens that nobody holds, times a price at which nobody trades.

Belongs here: caps that cleaning held back, and supplies that jump.
Does not: redenominations, where price and supply jump against each other (`identity.py`).
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning, number, usd


class FakeCapThresholds(Thresholds):
    """Days, and ratios of supplies."""

    min_held_back_days: int = Field(default=1, ge=1, le=30)
    max_supply_ratio: float = Field(default=1.5, gt=1)
    """A supply that grew by half in a month diluted its holders, or was corrected: shown."""
    excluding_supply_ratio: float = Field(default=3.0, gt=1)
    """A supply that tripled: whatever the cap says, it says nothing of the months before."""


def fake_cap_warnings(limits: FakeCapThresholds) -> tuple[TokenWarning, ...]:
    """The two warnings of this subject."""
    return (
        TokenWarning(
            name="implausible_cap",
            inputs=("cap_held_back_days",),
            value=pl.col("cap_held_back_days").cast(pl.Float64),
            threshold=pl.lit(float(limits.min_held_back_days)),
            is_raised=pl.col("cap_held_back_days") >= limits.min_held_back_days,
            reason=pl.format(
                "on {} of 30 days a market cap was claimed that is over a million times the usual daily volume{}: it is not believed",
                pl.col("cap_held_back_days"),
                pl.when(pl.col("claimed_cap_usd").is_not_null())
                .then(pl.format(" (now {})", usd(pl.col("claimed_cap_usd"))))
                .otherwise(pl.lit("")),
            ),
            meaning="Days of 30 on which cleaning held back the cap: volume under a millionth of it, or none at all in a month.",
            unit="days of 30",
        ),
        TokenWarning(
            name="supply_jump",
            inputs=("supply_ratio_30d", "split_ratio_30d"),
            value=pl.col("supply_ratio_30d"),
            threshold=pl.lit(limits.max_supply_ratio),
            is_raised=(pl.col("supply_ratio_30d") >= limits.max_supply_ratio) & (pl.col("split_ratio_30d") == 1),
            reason=pl.format(
                "the circulating supply is {} times that of 30 days before: new tokens in the market, or a cap that was not true",
                number(pl.col("supply_ratio_30d")),
            ),
            meaning="Supply implied by the cap over that 30 days before, where the price did not move by the inverse.",
            unit="ratio",
            is_excluding=pl.col("supply_ratio_30d") >= limits.excluding_supply_ratio,
        ),
    )
