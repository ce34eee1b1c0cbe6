"""How much the figures of an index depend on the month one began with it.

Belongs here: figures over all monthly starts with at least a year to go, and how they spread.
Does not: the formulas (`figures.py`), intervals (`statistics.py`). Starts overlap, so their spread is no error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.figures import (
    calmar,
    daily_returns,
    figures_of_totals,
    largest_drawdown,
    relative_figures_of_totals,
    totals_by_day,
)
from models_ml.backtest.level_series import LevelSeries, benchmarks_of, series_by_index
from models_ml.features.feature import DAYS_A_YEAR

Floats = npt.NDArray[np.float64]

START_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "benchmark": pl.String(),
    "start_date": pl.Date(),
    "metric": pl.String(),
    "value": pl.Float64(),
}


def figures_by_start(levels: pl.DataFrame, benchmarks: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Figures from the first level of each month to the last level, where at least 365 days lie between.

    Args:
        levels: One row per index and day without gaps: date, index_id, level (above 0); benchmarks are indices, too.
        benchmarks: Ids of the benchmarks of each index.

    Returns:
        index_id, benchmark (null for figures of the index alone), start_date, metric, value (null where not defined). Starts
        are the first days of months. Alone: annual_return, volatility, sharpe, sortino, max_drawdown, calmar; against a
        benchmark, from the first month both have: annual_return_difference, sharpe_difference, tracking_error,
        information_ratio, beta. An index with less than a year has no row.

    Raises:
        BacktestDataError: A column is missing, a day is there twice or absent, a level is not above 0, or a benchmark has
            no levels.
    """
    series = series_by_index(levels)
    pairs = benchmarks_of(series, benchmarks)
    alone = [(series[index_id], None) for index_id in sorted(benchmarks)]
    rows = []
    for own, other in [*alone, *pairs]:
        named = (own.index_id, other.index_id if other is not None else None)
        starts = list(_starts(own))
        if not starts:
            continue
        returns = daily_returns(own.levels)
        totals = totals_by_day(returns, daily_returns(other.levels) if other is not None else None)
        # Totals from each start to the end are the sums of all days from there on.
        to_end = totals[::-1].cumsum(axis=0)[::-1][starts]
        figures = figures_of_totals(to_end) if other is None else relative_figures_of_totals(to_end)
        if other is None:
            depths = np.array([largest_drawdown(own.levels[start:]).depth for start in starts])
            figures["max_drawdown"] = depths
            annual = figures["annual_return"]
            figures["calmar"] = np.array([calmar(*each) for each in zip(annual, depths, strict=True)])
        for metric, values in figures.items():
            rows += [
                (*named, own.day(start), metric, value) for start, value in zip(starts, values.tolist(), strict=True)
            ]
    return pl.DataFrame(rows, schema=START_SCHEMA, orient="row").with_columns(pl.col("value").fill_nan(None))


def start_date_spread(levels: pl.DataFrame, benchmarks: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Median, 10th and 90th percentile over all monthly starts of each figure of `figures_by_start`.

    Args:
        levels: As for `figures_by_start`.
        benchmarks: Likewise.

    Returns:
        index_id, benchmark, metric, median, percentile_10, percentile_90 (linear between starts, null without a value),
        share_above_0 (of the starts with a value), starts (with a value), first_start, last_start; by index, benchmark
        and metric.
    """
    value = pl.col("value")
    return (
        figures_by_start(levels, benchmarks)
        .group_by("index_id", "benchmark", "metric")
        .agg(
            median=value.median(),
            percentile_10=value.quantile(0.1, "linear"),
            percentile_90=value.quantile(0.9, "linear"),
            share_above_0=(value > 0).mean(),
            starts=value.count().cast(pl.Int64),
            first_start=pl.col("start_date").min(),
            last_start=pl.col("start_date").max(),
        )
        .sort("index_id", "benchmark", "metric", nulls_last=False)
    )


def _starts(series: LevelSeries) -> Iterator[int]:
    """Positions of first days of months with at least a year after them."""
    for position in range(len(series.levels) - DAYS_A_YEAR):
        if (series.first + dt.timedelta(days=position)).day == 1:
            yield position
