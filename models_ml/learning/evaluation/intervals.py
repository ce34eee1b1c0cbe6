"""Intervals of figures measured over weeks whose outcomes overlap: block bootstrap and Newey-West.

Belongs here: the interval of any figure of a weekly series, of a mean, and of the difference of two means.
Does not: the figures themselves (the neighbours), how weeks are resampled (`resampling.py`), Newey-West's covariance (`hac.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from models_ml.learning.evaluation.hac import Floats, linear_fit
from models_ml.learning.evaluation.resampling import DRAWS, SEED, Counts, Kind, resampled_counts

FEWEST_BLOCKS = 3
"""Below so many blocks' worth of weeks there is no interval: a resample would hold the same run again and again."""

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure with its block-bootstrap percentile interval.

    Attributes:
        estimate: The figure on the weeks as they are.
        low: Lower bound, None where there are too few weeks for an interval.
        high: Upper bound, None likewise.
        weeks: Weeks it rests on.
    """

    estimate: float
    low: float | None
    high: float | None
    weeks: int


def bootstrap_interval(
    measure: Callable[[Counts], Floats],
    weeks: int,
    *,
    block: int,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = SEED,
    kind: Kind = "stationary",
    is_centred: bool = False,
) -> Interval:
    """Percentile interval of any figure that can be computed from how often each week counts.

    Args:
        measure: Takes counts (draws x weeks) and gives one figure a draw; NaN where a draw has none. Ones give the estimate.
        weeks: Length of the series behind `measure`, oldest first.
        block: Weeks in a block (`resampling.block_weeks`).
        draws: Number of resamples.
        level: Probability the interval is to cover, in (0, 1).
        seed: Equal seeds give equal intervals.
        kind: Which bootstrap, see `resampled_counts`.
        is_centred: Shift the resamples so that their mean is the estimate. For figures such as a sum of absolute gaps, which noise can
            only raise: a resample has the noise of the sample and its own, and would lie above the estimate as a whole.
    """
    estimate = float(measure(np.ones((1, weeks)))[0]) if weeks else float("nan")
    if weeks < FEWEST_BLOCKS * block or math.isnan(estimate):
        return Interval(estimate, None, None, weeks)
    figures = measure(resampled_counts(weeks, block=block, draws=draws, seed=seed, kind=kind))
    if is_centred:
        figures = figures + estimate - np.nanmean(figures)
    low, high = np.nanquantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), weeks)


def ratio_of_totals(per_week: Floats) -> Callable[[Counts], Floats]:
    """Measure for `bootstrap_interval`: the total of the first column over that of the second; NaN where that is 0."""

    def measure(counts: Counts) -> Floats:
        totals = counts @ per_week
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)

    return measure


def mean_interval(values: Sequence[float] | Floats, *, block: int, level: float = LEVEL, seed: int = SEED) -> Interval:
    """Mean of a weekly series with its stationary-bootstrap interval; the series is oldest first and finite."""
    series = _finite(values)
    per_week = np.column_stack([series, np.ones(len(series))])
    return bootstrap_interval(ratio_of_totals(per_week), len(series), block=block, level=level, seed=seed)


def hac_mean_interval(values: Sequence[float] | Floats, *, lags: int, level: float = LEVEL) -> Interval:
    """Mean of a weekly series with its normal interval from Newey-West errors; None below three times `lags` + 1 weeks."""
    series = _finite(values)
    mean = float(series.mean()) if len(series) else float("nan")
    if len(series) < max(2, FEWEST_BLOCKS * (lags + 1)):
        return Interval(mean, None, None, len(series))
    reach = NormalDist().inv_cdf((1 + level) / 2)
    error = float(linear_fit(series, np.ones((len(series), 1)), lags=lags).errors[0])
    return Interval(mean, mean - reach * error, mean + reach * error, len(series))


def summarise_weekly(
    series: pl.DataFrame, *, block: int, by: Sequence[str] = (), level: float = LEVEL, seed: int = SEED
) -> pl.DataFrame:
    """Mean of a weekly series with both intervals, in total or a row a group.

    Args:
        series: One row a week (and group): as_of_week, value (finite), and the columns of `by`.
        block: Weeks in a block, and one more than the lags of Newey-West.
        by: Columns that name the group.
        level: Probability the intervals are to cover.
        seed: Of the bootstrap.

    Returns:
        The columns of `by`, mean, low, high (bootstrap), hac_low, hac_high (Newey-West), icir (mean over standard deviation, not
        annualised; null where it never varies), share_above_0, weeks; by group. Bounds are null where the weeks are too few.
    """
    rows = []
    groups = series.sort("as_of_week").partition_by(by, as_dict=True) if by else {(): series.sort("as_of_week")}
    for key, frame in groups.items():
        values = _finite(frame["value"].to_numpy())
        drawn = mean_interval(values, block=block, level=level, seed=seed)
        hac = hac_mean_interval(values, lags=block - 1, level=level)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        icir = drawn.estimate / spread if spread > 1e-12 else None
        mean, above = (drawn.estimate, float((values > 0).mean())) if len(values) else (None, None)
        rows.append((*key, mean, drawn.low, drawn.high, hac.low, hac.high, icir, above, len(values)))
    figures = ["mean", "low", "high", "hac_low", "hac_high", "icir", "share_above_0"]
    schema = {name: series.schema[name] for name in by} | dict.fromkeys(figures, pl.Float64) | {"weeks": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(by) if by else pl.DataFrame(rows, schema, orient="row")


def with_cumulative_mean(series: pl.DataFrame, *, by: Sequence[str] = ()) -> pl.DataFrame:
    """The series by week with `cumulative_mean`, the mean of its value over all weeks so far, in total or per group.

    Args:
        series: One row a week (and group): as_of_week, value, and the columns of `by`.
        by: Columns that name the group.
    """
    so_far = pl.col("value").cum_sum() / pl.col("value").cum_count()
    ordered = series.sort(*by, "as_of_week")
    return ordered.with_columns(cumulative_mean=so_far.over(by) if by else so_far)


def paired_difference(
    first: pl.DataFrame, second: pl.DataFrame, *, block: int, level: float = LEVEL, seed: int = SEED
) -> pl.DataFrame:
    """Mean of first minus second over the weeks both have, as `summarise_weekly` gives it.

    Args:
        first: One row a week: as_of_week, value.
        second: Likewise.
        block: Weeks in a block.
        level: Probability the intervals are to cover.
        seed: Of the bootstrap.

    Raises:
        ValueError: They share no week.
        polars.exceptions.ComputeError: One of them has a week twice.
    """
    both = first.select("as_of_week", "value").join(
        second.select("as_of_week", other="value"), on="as_of_week", validate="1:1"
    )
    if both.is_empty():
        raise ValueError(f"the series of {first.height} and {second.height} weeks share none; compare the same period")
    weekly = both.select("as_of_week", value=pl.col("value") - pl.col("other"))
    return summarise_weekly(weekly, block=block, level=level, seed=seed)


def _finite(values: Sequence[float] | Floats) -> Floats:
    """The values as an array.

    Raises:
        ValueError: One is null or not finite.
    """
    series = np.asarray(values, dtype=np.float64)
    unknown = int((~np.isfinite(series)).sum())
    if unknown:
        raise ValueError(f"{unknown} of {len(series)} weekly values are unknown; drop those weeks before averaging")
    return series
