"""Claims as numbers: the mean of what a claim praises less that of what it is praised over, with interval, p-value and verdict.

Belongs here: contrasts within and across periods, Holm's correction, and the rule that turns an effect into a verdict.
Does not: which claims are tested and on what (`orchestration/evaluation/claims.py`), resampling (`resampling.py`).

An effect is turned so that it is positive where the claim is right. A period (a week or a day) is one observation, because its tokens
share their market; periods whose outcomes overlap are drawn in blocks. All periods of the frame are the calendar that is resampled,
those without a comparison as well, so that a block is always a stretch of real time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import FEWEST_BLOCKS, LEVEL, bootstrap_interval
from models_ml.learning.evaluation.resampling import Counts

Verdict = Literal["held", "held, too small to use", "not shown", "refuted"]

ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Effect:
    """What a claim is worth.

    Attributes:
        estimate: Mean of the claimed rows less that of the others, in the unit of the value; NaN where no period has a comparison.
        low: Lower bound of the 95 % interval, None where the comparisons are fewer than three blocks.
        high: Upper bound, None likewise.
        p_value: Two-sided, of an effect of 0; None likewise.
        claimed: Rows the claim praises that entered.
        others: Rows they were compared with.
        periods: Periods that have a comparison.
        claimed_mean: What the claimed rows' mean is, over the periods that have a comparison; NaN where there is none.
        others_mean: Likewise of the others.
    """

    estimate: float
    low: float | None
    high: float | None
    p_value: float | None
    claimed: int
    others: int
    periods: int
    claimed_mean: float = math.nan
    others_mean: float = math.nan


def within_periods(frame: pl.DataFrame, *, claimed: pl.Expr, others: pl.Expr, value: str, block: int) -> Effect:
    """Claimed rows against others of the same period: mean of the periods' differences of means.

    What moves a whole period cancels out, so this asks whether the claim helps to choose among tokens.

    Args:
        frame: One row a period and token: period (date), the value (null where unknown; such rows do not count).
        claimed: Boolean; null counts as false.
        others: Boolean, likewise; a row may not be in both.
        value: Column of the outcome, the larger the better for the claim.
        block: Periods in a block.

    Raises:
        ValueError: A row is both claimed and other.
    """
    rows = _sided(frame, claimed, others, value)
    by_period = rows.group_by("period").agg(
        yes=pl.col("value").filter(pl.col("side")).mean(),
        no=pl.col("value").filter(~pl.col("side")).mean(),
        claimed=pl.col("side").sum(),
        others=(~pl.col("side")).sum(),
    )
    both = by_period.filter(pl.col("yes").is_not_null() & pl.col("no").is_not_null())
    per_period = (
        _calendar(frame)
        .join(both.select("period", value=pl.col("yes") - pl.col("no"), weight=1.0), on="period", how="left")
        .sort("period")
        .select(pl.col("value", "weight").fill_null(0.0))
        .to_numpy()
    )
    return _effect(
        np.column_stack([per_period, np.zeros_like(per_period)]),
        block=block,
        periods=both.height,
        rows=(int(both["claimed"].sum()), int(both["others"].sum())),
        means=(_mean(both["yes"]), _mean(both["no"])),
        is_difference=False,
    )


def across_periods(frame: pl.DataFrame, *, claimed: pl.Expr, others: pl.Expr | None, value: str, block: int) -> Effect:
    """Claimed periods against others: difference of the means over all rows of either kind.

    What moves a whole period counts, so this asks whether the claim helps to choose the time.

    Args:
        frame: One row a period, or several: period (date), the value (null where unknown; such rows do not count).
        claimed: Boolean; null counts as false.
        others: Boolean, likewise; a row may not be in both. None compares the mean of the claimed rows with 0.
        value: Column of the outcome, the larger the better for the claim.
        block: Periods in a block.

    Raises:
        ValueError: A row is both claimed and other.
    """
    rows = _sided(frame, claimed, pl.lit(value=False) if others is None else others, value)
    side = pl.col("side")
    totals = rows.group_by("period").agg(
        yes_total=pl.col("value").filter(side).sum(),
        yes=side.sum().cast(pl.Float64),
        no_total=pl.col("value").filter(~side).sum(),
        no=(~side).sum().cast(pl.Float64),
    )
    per_period = (
        _calendar(frame)
        .join(totals, on="period", how="left")
        .sort("period")
        .select(pl.col("yes_total", "yes", "no_total", "no").fill_null(0.0))
        .to_numpy()
    )
    return _effect(
        per_period,
        block=block,
        periods=int((per_period[:, 1] > 0).sum()),
        rows=(int(per_period[:, 1].sum()), int(per_period[:, 3].sum())),
        means=(_mean(rows.filter(side)["value"]), _mean(rows.filter(~side)["value"])),
        is_difference=others is not None,
    )


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for how many claims were tested: the chance of even one false 'held' stays below the level.

    Source: Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6(2).

    Args:
        p_values: In (0, 1); None where a claim could not be tested, which does not count among the tests.

    Returns:
        In the same order, at most 1; None where it was.
    """
    known = sorted((p, number) for number, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for place, (p, number) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - place)))
        adjusted[number] = largest
    return adjusted


def verdict(effect: Effect, *, adjusted_p: float | None, matters: float) -> Verdict:
    """What an effect says of its claim.

    - held: positive with its whole 95 % interval and with an adjusted p-value below 5 %.
    - held, too small to use: likewise, but the whole interval lies below `matters`.
    - refuted: not held, and the whole interval lies below `matters`: a benefit worth having is ruled out.
    - not shown: everything else, an effect without an interval among it.

    Args:
        effect: Of the primary test.
        adjusted_p: `holm` over all claims of the page.
        matters: Smallest effect that a user would notice, in the effect's unit, at least 0.
    """
    if effect.low is None or effect.high is None or adjusted_p is None:
        return "not shown"
    has_held = effect.low > 0 and adjusted_p < ALPHA
    if effect.high < matters:
        return "held, too small to use" if has_held else "refuted"
    return "held" if has_held else "not shown"


def _sided(frame: pl.DataFrame, claimed: pl.Expr, others: pl.Expr, value: str) -> pl.DataFrame:
    """period, value and side (true: claimed) of the rows that are on one side and have a value."""
    rows = frame.select(
        "period",
        value=pl.col(value).cast(pl.Float64),
        is_claimed=claimed.fill_null(value=False),
        is_other=others.fill_null(value=False),
    )
    both = rows.filter(pl.col("is_claimed") & pl.col("is_other")).height
    if both:
        raise ValueError(f"{both} rows are both claimed and compared with; make the two conditions exclude each other")
    known = rows.filter(pl.col("value").is_finite() & (pl.col("is_claimed") | pl.col("is_other")))
    return known.select("period", "value", side="is_claimed")


def _calendar(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col("period").unique())


def _effect(
    per_period: Floats,
    *,
    block: int,
    periods: int,
    rows: tuple[int, int],
    means: tuple[float, float],
    is_difference: bool,
) -> Effect:
    """Effect of per-period totals: claimed total and weight, other total and weight."""

    def measure(counts: Counts) -> Floats:
        totals = counts @ per_period
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = totals[:, 0] / totals[:, 1]
            return np.asarray(mean - totals[:, 2] / totals[:, 3] if is_difference else mean, dtype=np.float64)

    found = bootstrap_interval(measure, len(per_period), block=block)
    if periods < FEWEST_BLOCKS * block or found.low is None or found.high is None:
        return Effect(found.estimate, None, None, None, *rows, periods, *means)
    p_value = _p_value(found.estimate, found.low, found.high)
    return Effect(found.estimate, found.low, found.high, p_value, *rows, periods, *means)


def _mean(values: pl.Series) -> float:
    mean = values.mean()
    return mean if isinstance(mean, float) else math.nan


def _p_value(estimate: float, low: float, high: float) -> float:
    """Two-sided p-value of 0 by the normal distribution, with the standard error that the interval's width amounts to."""
    normal = NormalDist()
    error = (high - low) / (2 * normal.inv_cdf((1 + LEVEL) / 2))
    if error <= 0:
        return 0.0 if not math.isclose(estimate, 0.0) else 1.0
    return 2 * (1 - normal.cdf(abs(estimate) / error))
