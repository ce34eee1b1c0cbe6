"""Wash volume: trading that is claimed and did not happen, or happened between one's own hands.

Belongs here: warnings from turnover, its evenness, and exchanges against aggregators.
Does not: cutting the volume to what is believed (`int_daily_cleaned`), thin volume (`thin_liquidity.py`).

Marks after Cong, Li, Tang, Yang, *Crypto Wash Trading*, Management Science 69(11), 2023: volumes that do not scatter as people's do,
round amounts, and volume without anything that it moves.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning, number

DOLLAR_DISTANCE = 0.03
"""A price this near a dollar is a dollar's: those do turn over several times a week."""


class WashVolumeThresholds(Thresholds):
    """When volume looks made up; times are ratios without unit."""

    max_turnover_week: float = Field(default=7.0, gt=0)
    """The whole cap every day of a week, at `min_turnover_to_peers`."""
    max_turnover_week_beyond_peers: float = Field(default=3.0, gt=0)
    """What is implausible already where it is `far_beyond_peers` times the turnover of tokens of the size."""
    far_beyond_peers: float = Field(default=8.0, gt=1)
    flat_deviation: float = Field(default=0.065, gt=0)
    """Standard deviation of the logarithm of the daily volume; the median token's is 0.3 to 0.4."""
    min_turnover_to_peers: float = Field(default=3.0, gt=0)
    """Even or round volumes only count above so many times the turnover of tokens of the size: a quiet feed is even, too."""
    min_round_days: int = Field(default=6, ge=1, le=14)
    min_unmoved_days: int = Field(default=3, ge=1, le=14)
    max_venue_excess: float = Field(default=10.0, gt=1)


def wash_volume_warnings(limits: WashVolumeThresholds) -> tuple[TokenWarning, ...]:
    """The five warnings of this subject."""
    is_above_peers = pl.col("turnover_to_peers") >= limits.min_turnover_to_peers
    is_dollar = (pl.col("price_usd") - 1).abs() < DOLLAR_DISTANCE
    turnover_limit = (
        pl.when(pl.col("turnover_to_peers") >= limits.far_beyond_peers)
        .then(limits.max_turnover_week_beyond_peers)
        .otherwise(limits.max_turnover_week)
    )
    traded = number(pl.col("turnover_week"))
    return (
        TokenWarning(
            name="implausible_turnover",
            inputs=("turnover_week", "turnover_to_peers", "price_usd"),
            value=pl.col("turnover_week"),
            threshold=turnover_limit,
            is_raised=(pl.col("turnover_week") >= turnover_limit) & is_above_peers & ~is_dollar,
            reason=pl.format(
                "claims to have traded {} times its cap in a week, {} times the turnover of tokens of its size: more than its holders are "
                "likely to have sold",
                traded,
                number(pl.col("turnover_to_peers")),
            ),
            meaning=(
                "The volumes claimed in a week over the cap: seven caps at three times the turnover of peers, three at eight times. Prices "
                "near a dollar are left out, since dollars do turn over like that."
            ),
            unit="times the cap a week",
        ),
        TokenWarning(
            name="flat_volume",
            inputs=("volume_deviation_7d", "turnover_to_peers", "turnover_week"),
            value=pl.col("volume_deviation_7d"),
            threshold=pl.lit(limits.flat_deviation),
            is_raised=(pl.col("volume_deviation_7d") < limits.flat_deviation) & is_above_peers,
            reason=pl.format(
                "traded {} times its cap in a week at nearly the same volume every day (it scatters by {}), {} times the turnover of "
                "tokens of its size: looks like wash trading",
                traded,
                number(pl.col("volume_deviation_7d"), digits=2),
                number(pl.col("turnover_to_peers")),
            ),
            meaning="Standard deviation of the logarithm of the daily volume over seven days, where turnover is far above that of peers.",
            unit="log",
        ),
        TokenWarning(
            name="round_volume",
            inputs=("round_days_14d", "turnover_to_peers", "turnover_week"),
            value=pl.col("round_days_14d").cast(pl.Float64),
            threshold=pl.lit(float(limits.min_round_days)),
            is_raised=(pl.col("round_days_14d") >= limits.min_round_days) & is_above_peers,
            reason=pl.format(
                "on {} of 14 days its volume was a round number or that of the day before, at {} times the turnover of tokens of its size: "
                "looks like wash trading",
                pl.col("round_days_14d"),
                number(pl.col("turnover_to_peers")),
            ),
            meaning="Days of 14 with a volume of at most three digits or that of the day before, at a turnover far above that of peers.",
            unit="days of 14",
        ),
        TokenWarning(
            name="volume_without_moves",
            inputs=("unmoved_days_14d",),
            value=pl.col("unmoved_days_14d").cast(pl.Float64),
            threshold=pl.lit(float(limits.min_unmoved_days)),
            is_raised=pl.col("unmoved_days_14d") >= limits.min_unmoved_days,
            reason=pl.format(
                "on {} of 14 days at least eight times its usual volume moved the price by less than a usual day does: the trades look "
                "like one hand selling to the other",
                pl.col("unmoved_days_14d"),
            ),
            meaning="Days of 14 on which eight times the usual volume of a month moved the price by less than it usually moves in a day.",
            unit="days of 14",
        ),
        TokenWarning(
            name="venues_disagree",
            inputs=("venue_excess_14d",),
            value=pl.col("venue_excess_14d"),
            threshold=pl.lit(limits.max_venue_excess),
            is_raised=pl.col("venue_excess_14d") >= limits.max_venue_excess,
            reason=pl.format(
                "its claimed volume is {} times as far above that on the exchanges we read ourselves as the median token's: the rest is "
                "traded where nobody looks, or not at all",
                number(pl.col("venue_excess_14d")),
            ),
            meaning="The aggregator's volume over that on an exchange read directly, against the same ratio of the median token.",
            unit="times the median token's ratio",
        ),
    )
