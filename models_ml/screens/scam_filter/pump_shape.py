"""Pump-and-dump shape: a fast rise on abnormal volume, and what is lost of it afterwards; and sudden collapses.

Belongs here: episodes of a token's daily candles, and the warnings from them.
Does not: volume that moves nothing (`wash_volume.py`).

A pump shows as a rise far beyond what the token usually moves, within days, on many times its usual volume (Kamps, Kleinberg, *To the
moon: defining and detecting cryptocurrency pump-and-dumps*, Crime Science 7:18, 2018, take 5 to 25 % and 3 to 4 times within hours; of
daily candles more is asked here). Good news looks the same on its first days. So a rise alone keeps a token out for two weeks; if half
of it is gone within a month it was a dump and keeps the token out for three months, otherwise the warning ends. A rise is measured
against the median token's, and tokens that usually trade tens of millions a day are left out: a rally of the market is no pump, and
nobody pumps ether.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from models_ml.screens.scam_filter.warning import Thresholds, TokenWarning, number, percent

RISE_DAYS = 3
"""Days over which a rise or a collapse is measured."""
USUAL_DAYS = 30
"""Days before the rise that tell what is usual."""
MIN_USUAL_DAYS = 10
EPISODE_REACH_DAYS = 60
"""How long before its last rise an episode may have begun and still be told from its beginning."""


class PumpThresholds(Thresholds):
    """Fractions, ratios and days."""

    min_rise: float = Field(default=0.5, gt=0)
    """Rise within three days over the median token's, fraction."""
    min_rise_deviations: float = Field(default=3.0, ge=0)
    """The logarithm of the rise in standard deviations of three days' moves, by the month before."""
    min_volume_surge: float = Field(default=6.0, gt=1)
    max_usual_volume_usd: float = Field(default=50e6, gt=0)
    """Usual daily volume above which a token is too large to be pumped by a group."""
    rise_in_force_days: int = Field(default=14, ge=1)
    min_given_back: float = Field(default=0.5, gt=0)
    dump_within_days: int = Field(default=30, ge=1)
    """Days after the rise within which it must be lost again; what is lost later is a fall like others."""
    dump_in_force_days: int = Field(default=90, ge=1)
    episode_gap_days: int = Field(default=10, ge=1)
    """Days without a rise after which the next one is a new episode."""
    collapse_return: float = Field(default=-0.6, gt=-1, lt=0)
    """Three-day return beyond the median token's, fraction."""
    collapse_in_force_days: int = Field(default=90, ge=1)

    @property
    def look_back_days(self) -> int:
        """Days before a week's close that its row can depend on."""
        return (
            max(self.dump_in_force_days, self.collapse_in_force_days) + EPISODE_REACH_DAYS + USUAL_DAYS + RISE_DAYS + 1
        )


def pump_states(daily: pl.DataFrame, limits: PumpThresholds) -> pl.DataFrame:
    """Where a token stands on each day after its newest pump-like rise and its newest collapse.

    Args:
        daily: One row a token and day: token_id, market_date, price_usd, volume_24h_usd (null where unknown or carried).
        limits: Thresholds.

    Returns:
        token_id, market_date, days_since_pump, pump_rise, pump_volume_surge, pump_given_back, days_since_collapse, collapse_return (see
        `inputs.INPUT_DESCRIPTIONS`), in the order of token and day. A row uses no later one. Days are rows: a series with holes is older
        than it looks.
    """
    moved = pl.col("price_usd").log().diff()
    rows = (
        daily.sort("token_id", "market_date")
        .with_columns(
            move=moved.over("token_id"),
            before_usd=pl.col("price_usd").shift(1).rolling_min(RISE_DAYS, min_samples=1).over("token_id"),
            high_before_usd=pl.col("price_usd").shift(1).rolling_max(RISE_DAYS, min_samples=1).over("token_id"),
            usual_volume_usd=pl.col("volume_24h_usd")
            .shift(RISE_DAYS)
            .rolling_median(USUAL_DAYS, min_samples=MIN_USUAL_DAYS)
            .over("token_id"),
            volume_now_usd=pl.col("volume_24h_usd").rolling_max(RISE_DAYS, min_samples=1).over("token_id"),
        )
        .with_columns(
            usual_move=pl.col("move")
            .shift(RISE_DAYS)
            .rolling_std(USUAL_DAYS, min_samples=MIN_USUAL_DAYS)
            .over("token_id")
            .mul(RISE_DAYS**0.5),
            rise=pl.col("price_usd") / pl.col("before_usd"),
            fall=pl.col("price_usd") / pl.col("high_before_usd") - 1,
            surge=pl.col("volume_now_usd") / pl.col("usual_volume_usd"),
        )
        .with_columns(excess_rise=pl.col("rise") / pl.col("rise").median().over("market_date"))
        .with_columns(
            is_rise=(
                (pl.col("excess_rise") >= 1 + limits.min_rise)
                & (pl.col("surge") >= limits.min_volume_surge)
                & (pl.col("usual_volume_usd") <= limits.max_usual_volume_usd)
                & (pl.col("excess_rise").log() >= limits.min_rise_deviations * pl.col("usual_move"))
            ).fill_null(value=False),
            excess_fall=pl.col("fall") - pl.col("fall").median().over("market_date"),
        )
        .with_columns(is_collapse=(pl.col("excess_fall") <= limits.collapse_return).fill_null(value=False))
    )
    day = pl.col("market_date")
    last_rise = pl.when("is_rise").then(day).forward_fill().over("token_id")
    rows = rows.with_columns(last_rise=last_rise).with_columns(
        begins=pl.col("is_rise")
        & (
            ((day - pl.col("last_rise").shift(1).over("token_id")).dt.total_days() > limits.episode_gap_days).fill_null(
                value=True
            )
        )
    )
    episode = ["token_id", "episode"]
    rows = rows.with_columns(episode=pl.col("begins").cum_sum().over("token_id")).with_columns(
        base_usd=pl.when("begins").then("before_usd").forward_fill().over("token_id"),
        peak_usd=pl.col("price_usd").cum_max().over(episode),
        episode_surge=pl.when("is_rise").then("surge").cum_max().forward_fill().over(episode),
        last_collapse=pl.when("is_collapse").then(day).forward_fill().over("token_id"),
        collapse_return=pl.when("is_collapse").then("excess_fall").forward_fill().over("token_id"),
    )
    is_in_episode = pl.col("episode") > 0
    rows = rows.with_columns(
        days_since_pump=pl.when(is_in_episode).then((day - pl.col("last_rise")).dt.total_days()),
        lost=(pl.col("peak_usd") - pl.col("price_usd")) / (pl.col("peak_usd") - pl.col("base_usd")),
    )
    is_soon = pl.col("days_since_pump") <= limits.dump_within_days
    return rows.select(
        "token_id",
        "market_date",
        days_since_pump=pl.col("days_since_pump"),
        pump_rise=pl.when(is_in_episode).then(pl.col("peak_usd") / pl.col("base_usd") - 1),
        pump_volume_surge=pl.when(is_in_episode).then("episode_surge"),
        pump_given_back=pl.when(is_in_episode & is_soon).then("lost").forward_fill().over(episode),
        days_since_collapse=(day - pl.col("last_collapse")).dt.total_days(),
        collapse_return=pl.col("collapse_return"),
    )


def pump_warnings(limits: PumpThresholds) -> tuple[TokenWarning, ...]:
    """The three warnings of this subject; asked of every token with a price, since no rise is an answer, too."""
    is_dumped = pl.col("pump_given_back") >= limits.min_given_back
    rise = percent(pl.col("pump_rise"))
    surge = number(pl.col("pump_volume_surge"))
    return (
        TokenWarning(
            name="pump",
            inputs=("price_usd",),
            value=pl.col("pump_rise"),
            threshold=pl.lit(limits.min_rise),
            is_raised=(pl.col("days_since_pump") <= limits.rise_in_force_days) & ~is_dumped,
            reason=pl.format(
                "rose by {} within days on {} times its usual volume, up to {} days before: a rise like that is often made to be sold into",
                rise,
                surge,
                pl.col("days_since_pump"),
            ),
            meaning=(
                "A rise by half beyond the median token's within three days, far beyond usual moves, on six times the usual volume, in "
                "the last 14 days."
            ),
            unit="fraction",
        ),
        TokenWarning(
            name="dump",
            inputs=("price_usd",),
            value=pl.col("pump_given_back"),
            threshold=pl.lit(limits.min_given_back),
            is_raised=(pl.col("days_since_pump") <= limits.dump_in_force_days) & is_dumped,
            reason=pl.format(
                "rose by {} within days on {} times its usual volume and lost {} of the rise again within a month, {} days before: a "
                "pump-and-dump by its shape",
                rise,
                surge,
                percent(pl.col("pump_given_back")),
                pl.col("days_since_pump"),
            ),
            meaning="Half of such a rise is lost again within 30 days; stands for 90 days after the rise.",
            unit="fraction of the rise",
        ),
        TokenWarning(
            name="collapse",
            inputs=("price_usd",),
            value=pl.col("collapse_return"),
            threshold=pl.lit(limits.collapse_return),
            is_raised=pl.col("days_since_collapse") <= limits.collapse_in_force_days,
            reason=pl.format(
                "fell {} more than the median token within three days, {} days before: somebody left with the money, or the project ended",
                percent(-pl.col("collapse_return")),
                pl.col("days_since_collapse"),
            ),
            meaning="A fall within three days of 60 points beyond the median token's; stands for 90 days.",
            unit="fraction",
        ),
    )
