"""Price ranges: how good quantiles of returns are, how often the outcome lies within, and what plain volatility would have said.

Belongs here: pinball loss, coverage, and the benchmark of historical volatility.
Does not: making the ranges (the models), probabilities of classes (`probabilities.py`).

A frame has one row a week and token of one horizon: as_of_week, a column a quantile, the outcome (all fractions).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.hac import Floats
from models_ml.learning.evaluation.intervals import bootstrap_interval, ratio_of_totals
from models_ml.learning.evaluation.probabilities import known_rows, totals_by_week
from models_ml.learning.evaluation.resampling import Counts

QUANTILES = {"q10": 0.1, "q50": 0.5, "q90": 0.9}
"""Probability of each column of a range."""

BENCHMARK_PREFIX = "benchmark_"


def with_volatility_benchmark(
    frame: pl.DataFrame, *, volatility: str, horizon_days: int, quantiles: Mapping[str, float] = QUANTILES
) -> pl.DataFrame:
    """The frame with the quantiles of a log-normal return without drift, in columns benchmark_<quantile>.

    exp(z sigma sqrt(horizon / 365)) - 1, z being the normal quantile: what a user has without any model.

    Args:
        frame: The volatility (fraction a year, nullable) and anything else.
        volatility: Column with the standard deviation of daily log returns, annual.
        horizon_days: Days ahead.
        quantiles: Probability of each column.
    """
    reach = pl.col(volatility).cast(pl.Float64) * math.sqrt(horizon_days / DAYS_A_YEAR)
    return frame.with_columns(
        ((reach * NormalDist().inv_cdf(probability)).exp() - 1).alias(BENCHMARK_PREFIX + name)
        for name, probability in quantiles.items()
    )


def pinball_losses(outcome: Floats, quantile: Floats, probability: float) -> Floats:
    """Loss of each row: p (y - q) where y is above q, (1 - p) (q - y) below; least in the mean at the true quantile.

    Source: Koenker, Bassett (1978), Regression Quantiles, Econometrica 46(1).
    """
    gap = outcome - quantile
    return np.asarray(np.maximum(probability * gap, (probability - 1) * gap), dtype=np.float64)


def quantile_skill(
    frame: pl.DataFrame, *, outcome: str, block: int, quantiles: Mapping[str, float] = QUANTILES
) -> pl.DataFrame:
    """Pinball loss beside that of the benchmark in the same rows.

    Args:
        frame: as_of_week, a column a quantile, benchmark_<quantile> likewise, the outcome. Rows where one is unknown do not count.
        outcome: Column with the return over the horizon.
        block: Weeks in a block (13 at 90 days).
        quantiles: Probability of each column.

    Returns:
        One row a quantile and 'mean' of them: quantile, pinball, benchmark_pinball (fractions), skill (1 - pinball / benchmark),
        skill_low, skill_high, below (share of outcomes below the quantile; null of 'mean'), probability (null likewise), rows.
    """
    benchmarks = [BENCHMARK_PREFIX + name for name in quantiles]
    rows = known_rows(frame, outcome, *quantiles, *benchmarks)
    happened = rows[outcome].to_numpy()
    losses = {
        column: pinball_losses(happened, rows[column].to_numpy(), probability)
        for column, probability in [*quantiles.items(), *zip(benchmarks, quantiles.values(), strict=True)]
    }
    table = []
    for name, probability in quantiles.items():
        below = float((happened < rows[name].to_numpy()).mean())
        table.append((name, *_skill(rows, losses[name], losses[BENCHMARK_PREFIX + name], block), below, probability))
    ours, theirs = (np.mean([losses[name] for name in names], axis=0) for names in (quantiles, benchmarks))
    table.append(("mean", *_skill(rows, ours, theirs, block), None, None))
    figures = ["pinball", "benchmark_pinball", "skill", "skill_low", "skill_high", "below", "probability"]
    schema = {"quantile": pl.String()} | dict.fromkeys(figures, pl.Float64())
    return pl.DataFrame(table, schema=schema, orient="row").with_columns(rows=pl.lit(rows.height, dtype=pl.Int64))


def _skill(rows: pl.DataFrame, loss: Floats, benchmark: Floats, block: int) -> tuple[float | None, ...]:
    """Mean loss, that of the benchmark, skill and its bounds."""
    per_week = totals_by_week(rows, loss, benchmark)
    ratio = ratio_of_totals(per_week)

    def measure(counts: Counts) -> Floats:
        return 1 - ratio(counts)

    interval = bootstrap_interval(measure, len(per_week), block=block)
    return float(loss.mean()), float(benchmark.mean()), interval.estimate, interval.low, interval.high


def coverage(
    frame: pl.DataFrame, *, outcome: str, block: int, low: str = "q10", high: str = "q90", by: Sequence[str] = ()
) -> pl.DataFrame:
    """Share of outcomes within a range, bounds included, in total or per group such as year.

    Args:
        frame: as_of_week, the two quantiles, the outcome, and the columns of `by`.
        outcome: Column with the return over the horizon.
        block: Weeks in a block.
        low: Column with the lower bound.
        high: Column with the upper bound.
        by: Columns that name the group.

    Returns:
        The columns of `by`, coverage, coverage_low, coverage_high (its interval), below (share under the range), above, width (mean of
        high less low), rows, weeks; by group.
    """
    rows = known_rows(frame, outcome, low, high)
    table = []
    for key, group in (rows.partition_by(by, as_dict=True) if by else {(): rows}).items():
        happened, bottom, top = (group[name].to_numpy() for name in (outcome, low, high))
        below, above = happened < bottom, happened > top
        within = (~below & ~above).astype(np.float64)
        per_week = totals_by_week(group, within, np.ones(group.height))
        interval = bootstrap_interval(ratio_of_totals(per_week), len(per_week), block=block)
        bounds = (interval.estimate, interval.low, interval.high)
        shares = (float(below.mean()), float(above.mean()), float((top - bottom).mean()))
        table.append((*key, *bounds, *shares, group.height, interval.weeks))
    figures = ["coverage", "coverage_low", "coverage_high", "below", "above", "width"]
    schema = {name: frame.schema[name] for name in by} | dict.fromkeys(figures, pl.Float64())
    result = pl.DataFrame(table, schema=schema | {"rows": pl.Int64(), "weeks": pl.Int64()}, orient="row")
    return result.sort(by) if by else result
