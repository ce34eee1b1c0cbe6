"""The plan of a pick: how risky, how large, where to enter, where to leave, and until when the idea holds.

Belongs here: the average true range, risk classes, sizes, entry zones, stops and targets.
Does not: who is picked (`moonshots.py`), the words (`rationale.py`), what came of it.

Nothing here is fitted: the rules were fixed before any outcome was looked at. A stop bounds a loss only where somebody buys at that
price, which in a token of this size is not a given; odds and outcomes are recorded without it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models_ml.features.feature import DAYS_A_YEAR

ATR_DAYS = 14
TRUE_RANGE, CLOSE_TO_CLOSE = "average true range, 14 days (Wilder)", "mean absolute move between closes, 14 days"
"""What a stop rests on: highs and lows where a candle has them, else closes alone."""

MEDIUM, HIGH, EXTREME = "medium", "high", "extreme"
RISK_CLASSES = (MEDIUM, HIGH, EXTREME)
"""No pick is of low risk: all of them are small."""

BY_VOLATILITY, BY_LIQUIDITY, BY_MAXIMUM, BY_TOTAL = "volatility", "liquidity", "maximum", "total"


class Target(BaseModel):
    """A multiple of the entry at which a share of the position is sold; frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    multiple: float = Field(gt=1)
    share: float = Field(gt=0, le=1)


class PlanSettings(BaseModel):
    """Rules of the plan; frozen, unknown keys forbidden. Budget, capital and volume share mean what they do in `learning/actions.py`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    daily_risk_budget: float = Field(default=0.0005, gt=0, le=1)
    """Fraction of capital that a day's standard deviation of the token may move: a tenth of what a call may, as most picks lose."""
    largest_weight: float = Field(default=0.01, gt=0, le=1)
    """Largest fraction of capital in one pick."""
    largest_total: float = Field(default=0.1, gt=0, le=1)
    """Largest fraction of capital in all picks of a week; sizes are scaled down to it."""
    capital_usd: float = Field(default=1e6, gt=0)
    """Capital that liquidity is judged for."""
    largest_volume_share: float = Field(default=0.01, gt=0, le=1)
    """Largest share of the median daily volume of 30 days that one pick may be."""

    entry_ranges: float = Field(default=0.5, gt=0)
    """Half of the entry zone's width, in average ranges."""
    largest_entry_move: float = Field(default=0.1, gt=0, lt=1)
    """Most that the zone reaches from the close, a fraction."""
    stop_ranges: float = Field(default=3.0, gt=0)
    """Distance of the stop below the close, in average ranges."""
    least_stop: float = Field(default=0.15, gt=0, lt=1)
    """Nearest stop, a fraction below the close: a nearer one is hit by a day's noise."""
    largest_stop: float = Field(default=0.5, gt=0, lt=1)
    """Farthest stop, a fraction below the close."""
    targets: tuple[Target, Target, Target] = (
        Target(multiple=1.5, share=0.3),
        Target(multiple=2.0, share=0.3),
        Target(multiple=3.0, share=0.2),
    )
    """Rising targets; what they leave over is held until the expiry."""
    expiry_days: int = Field(default=90, ge=1)

    volatile_from: float = Field(default=1.5, gt=0)
    """Annualised volatility of 30 days from which it counts against the class."""
    thin_below_usd: float = Field(default=250e3, gt=0)
    """Median daily volume of 30 days below which it counts."""
    tiny_below_usd: float = Field(default=5e6, gt=0)
    """Market cap below which it counts."""
    young_below_days: int = Field(default=180, ge=0)
    """Days since the first price below which they count."""

    @model_validator(mode="after")
    def prices_are_in_order(self) -> Self:
        """Refuse rules by which a stop could lie in the entry zone, targets fall, or more than everything is sold."""
        if not self.largest_entry_move < self.least_stop <= self.largest_stop:
            raise ValueError(
                f"largest_entry_move {self.largest_entry_move:g}, least_stop {self.least_stop:g} and largest_stop "
                f"{self.largest_stop:g} must rise in this order; a stop inside the entry zone is hit by buying"
            )
        multiples = [target.multiple for target in self.targets]
        if sorted(set(multiples)) != multiples:
            raise ValueError(f"targets {multiples} must rise")
        if (sold := sum(target.share for target in self.targets)) > 1 + 1e-9:
            raise ValueError(f"targets sell {sold:g} of the position; their shares may sum to 1 at most")
        return self


def average_true_range(days: pl.DataFrame) -> pl.DataFrame:
    """Wilder's average true range of 14 days, where highs and lows are known on every day of an unbroken run.

    The first value of a run is the mean of its first 14 true ranges, each later one moves a fourteenth of the way to the day's range.
    A day without high and low, or a day left out, ends the run.

    Args:
        days: One row a token and day: token_id, market_date, price_usd > 0 (close), high_to_close (>= 1) and low_to_close (<= 1), the
            day's extremes over the close of the same candle, null where unknown.

    Returns:
        One row a token and day of `days`, by both: token_id, market_date, `atr_14d` (fraction of the day's close, null where unknown).

    Source: Wilder (1978), New Concepts in Technical Trading Systems.
    """
    close = pl.col("price_usd")
    high, low = close * pl.col("high_to_close"), close * pl.col("low_to_close")
    is_known = pl.col("high_to_close").is_not_null() & pl.col("low_to_close").is_not_null()
    follows = pl.col("market_date").diff().over("token_id") == timedelta(days=1)
    rows = days.sort("token_id", "market_date").with_columns(
        _known=is_known, _before=pl.when(follows).then(close.shift().over("token_id"))
    )
    rows = rows.with_columns(
        _range=pl.when("_known").then(
            pl.max_horizontal(high, "_before") - pl.min_horizontal(low, "_before")  # nulls are left out of both
        ),
        # A run begins where a known day does not follow a known one.
        _run=(~(pl.col("_known") & pl.col("_before").is_not_null() & pl.col("_known").shift().over("token_id")))
        .fill_null(value=True)
        .cum_sum()
        .over("token_id"),
    )
    run = ["token_id", "_run"]
    position = pl.int_range(pl.len()).over(run)
    first = pl.col("_range").rolling_mean(ATR_DAYS, min_samples=ATR_DAYS).over(run)
    seeded = pl.when(position == ATR_DAYS - 1).then(first).when(position >= ATR_DAYS).then("_range")
    return (
        rows.with_columns(_seeded=seeded)
        .with_columns(_atr=pl.col("_seeded").ewm_mean(alpha=1 / ATR_DAYS, adjust=False, ignore_nulls=True).over(run))
        .select(
            "token_id", "market_date", atr_14d=pl.when(pl.col("_seeded").is_not_null()).then(pl.col("_atr") / close)
        )
    )


def plan_picks(picks: pl.DataFrame, settings: PlanSettings) -> pl.DataFrame:
    """The plan of each pick.

    - Risk class: medium, high with one and extreme with more of: volatility_30d of 1.5 a year or more, median volume below 250,000 USD,
      cap below 5 M USD, younger than 180 days; an unknown figure counts. `risk_marks` says which.
    - Size: daily_risk_budget over the token's daily volatility, at most largest_weight and largest_volume_share of the median daily
      volume; the sizes of a week are scaled down together where they sum to more than largest_total.
    - Entry: the close half a range up and down, at most a tenth; dearer, the idea is gone.
    - Stop: three ranges below the close, between 15 and 50 %. Targets: 1.5, 2 and 3 times the close, each selling its share.

    Thresholds are those of the default settings. Prices refer to the close before the week; whoever enters elsewhere moves them along.

    Args:
        picks: One row a week and pick: as_of_week, price_usd, market_cap_usd, volume_30d_median_usd, volatility_30d (annual), age_days,
            atr_14d and average_move_14d (fractions of the price, null where unknown); further columns are kept.
        settings: The rules.

    Returns:
        `picks` with risk_class, risk_marks (in words, "; " between, empty where there is none), position_weight (fraction of capital;
        null where volatility or volume is unknown), position_limit (volatility, liquidity, maximum or total: what bounds it),
        entry_low_usd, entry_high_usd, stop_usd, stop_basis (nulls where no range is known), target_<n>_usd, target_<n>_share, expiry_date.
    """
    price = pl.col("price_usd")
    known_range = pl.coalesce("atr_14d", "average_move_14d")
    entry = (settings.entry_ranges * known_range).clip(upper_bound=settings.largest_entry_move)
    stop = (settings.stop_ranges * known_range).clip(settings.least_stop, settings.largest_stop)
    marks = _risk_marks(settings)
    targets = {
        name: value
        for number, target in enumerate(settings.targets, start=1)
        for name, value in (
            (f"target_{number}_usd", price * target.multiple),
            (f"target_{number}_share", pl.lit(target.share)),
        )
    }
    return _sized(picks, settings).with_columns(
        risk_class=pl.when(_count(marks) == 0)
        .then(pl.lit(MEDIUM))
        .when(_count(marks) == 1)
        .then(pl.lit(HIGH))
        .otherwise(pl.lit(EXTREME)),
        risk_marks=pl.concat_str(
            [pl.when(is_raised.fill_null(value=True)).then(pl.lit(text)) for text, is_raised in marks.items()],
            separator="; ",
            ignore_nulls=True,
        ).fill_null(""),
        entry_low_usd=price * (1 - entry),
        entry_high_usd=price * (1 + entry),
        stop_usd=price * (1 - stop),
        stop_basis=pl.when(pl.col("atr_14d").is_not_null())
        .then(pl.lit(TRUE_RANGE))
        .when(pl.col("average_move_14d").is_not_null())
        .then(pl.lit(CLOSE_TO_CLOSE)),
        **targets,
        expiry_date=pl.col("as_of_week") + timedelta(days=settings.expiry_days),
    )


def _sized(picks: pl.DataFrame, settings: PlanSettings) -> pl.DataFrame:
    daily_volatility = pl.col("volatility_30d").cast(pl.Float64) / DAYS_A_YEAR**0.5
    bounds = {
        BY_VOLATILITY: pl.when(daily_volatility > 0).then(settings.daily_risk_budget / daily_volatility),
        BY_LIQUIDITY: pl.col("volume_30d_median_usd").cast(pl.Float64)
        * settings.largest_volume_share
        / settings.capital_usd,
        BY_MAXIMUM: pl.lit(settings.largest_weight),
    }
    is_sized = bounds[BY_VOLATILITY].is_not_null() & bounds[BY_LIQUIDITY].is_not_null()
    limit = (
        pl.when(bounds[BY_LIQUIDITY] == pl.col("_weight"))
        .then(pl.lit(BY_LIQUIDITY))
        .when(bounds[BY_VOLATILITY] == pl.col("_weight"))
        .then(pl.lit(BY_VOLATILITY))
        .otherwise(pl.lit(BY_MAXIMUM))
    )
    total = pl.col("_weight").sum().over("as_of_week")
    return (
        picks.with_columns(_weight=pl.when(is_sized).then(pl.min_horizontal(*bounds.values())))
        .with_columns(
            _scale=pl.when(total > settings.largest_total).then(settings.largest_total / total).otherwise(1.0)
        )
        .with_columns(
            position_weight=pl.col("_weight") * pl.col("_scale"),
            position_limit=pl.when(pl.col("_weight").is_null())
            .then(None)
            .when(pl.col("_scale") < 1)
            .then(pl.lit(BY_TOTAL))
            .otherwise(limit),
        )
        .drop("_weight", "_scale")
    )


def _risk_marks(settings: PlanSettings) -> dict[str, pl.Expr]:
    """What counts against the class, by its words; unknown figures count."""
    return {
        f"volatility of {settings.volatile_from:.0%} a year or more": pl.col("volatility_30d")
        >= settings.volatile_from,
        f"median volume below {settings.thin_below_usd:,.0f} USD a day": pl.col("volume_30d_median_usd")
        < settings.thin_below_usd,
        f"cap below {settings.tiny_below_usd:,.0f} USD": pl.col("market_cap_usd") < settings.tiny_below_usd,
        f"younger than {settings.young_below_days} days": pl.col("age_days") < settings.young_below_days,
    }


def _count(marks: dict[str, pl.Expr]) -> pl.Expr:
    return pl.sum_horizontal(is_raised.fill_null(value=True).cast(pl.Int32) for is_raised in marks.values())
