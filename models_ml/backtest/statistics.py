"""The usual figures of levels, alone and against benchmarks, with intervals, as one long table.

Belongs here: which figures are given, over which days, and their bootstrap intervals.
Does not: the formulas (`figures.py`), the resampling (`learning/evaluation/resampling.py`).

Intervals: stationary bootstrap of days in runs of 60 on average (Politis, Romano 1994, The Stationary Bootstrap, JASA 89),
because volatility and trends of tokens last for weeks. Index and benchmark are drawn on the same days, so what moves both
cancels out of their difference. Figures that depend on the order of days (drawdown, worst year, months) have no interval:
resamples do not keep it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.errors import with_columns_of
from models_ml.backtest.figures import (
    calmar,
    capture,
    daily_returns,
    figures_of_totals,
    largest_drawdown,
    monthly_returns,
    relative_figures_of_totals,
    share_above,
    totals_by_day,
    worst_year,
)
from models_ml.backtest.level_series import LevelSeries, benchmarks_of, series_by_index
from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.intervals import FEWEST_BLOCKS, LEVEL
from models_ml.learning.evaluation.resampling import DRAWS, SEED, resampled_counts

Floats = npt.NDArray[np.float64]
Row = tuple[str, str | None, str, float | None, float | None, float | None, dt.date, dt.date | None]

BLOCK_DAYS = 60
DRAWS_AT_ONCE = 250  # counts of ten years are 7 MB for so many draws

STATISTICS_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "benchmark": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "first_date": pl.Date(),
    "last_date": pl.Date(),
}
TURNOVER_SCHEMA: dict[str, pl.DataType] = {"date": pl.Date(), "index_id": pl.String(), "turnover": pl.Float64()}

PROBABILITIES = {
    "annual_return_difference": "probability_of_higher_return",
    "sharpe_difference": "probability_of_higher_sharpe",
}


@dataclass(frozen=True)
class _Sample:
    """A series with its benchmark, if any, over the days they share."""

    own: LevelSeries
    benchmark: LevelSeries | None

    @property
    def days(self) -> int:
        return len(self.own.levels) - 1

    def totals(self) -> Floats:
        other = daily_returns(self.benchmark.levels) if self.benchmark is not None else None
        return totals_by_day(daily_returns(self.own.levels), other)

    def figures(self, totals: Floats) -> dict[str, Floats]:
        return figures_of_totals(totals) if self.benchmark is None else relative_figures_of_totals(totals)


def summarise_levels(
    levels: pl.DataFrame,
    benchmarks: Mapping[str, Sequence[str]],
    *,
    turnover: pl.DataFrame | None = None,
    block_days: int = BLOCK_DAYS,
    draws: int = DRAWS,
    seed: int = SEED,
) -> pl.DataFrame:
    """Figures of indices alone and against their benchmarks.

    Args:
        levels: One row per index and day without gaps: date, index_id, level (above 0); benchmarks are indices, too.
        benchmarks: Ids of the benchmarks of each index that is summarised.
        turnover: date, index_id, turnover (half of what was bought and sold, a fraction), as `net_levels` gives it for
            one capital; null for an index without.
        block_days: Mean length of a run of the bootstrap.
        draws: Number of resamples.
        seed: Equal seeds give equal intervals.

    Returns:
        index_id, benchmark (null for figures of the index alone), metric, value, low, high, first_date, last_date; by
        index and benchmark. Bounds cover 95 %; null where a figure has none or there are fewer than three blocks of days;
        a value is null where it is not defined. The dates are those the figure rests on: of `max_drawdown` the high and the
        low, of `recovery_days` the low and the day of recovery (null where there is none yet), of `worst_year` its ends.

        Alone: total_return, annual_return, volatility, sharpe, sortino, max_drawdown, recovery_days, calmar, worst_year,
        hit_rate_months, turnover_per_year (without the first purchase). Against a benchmark: annual_return_difference,
        sharpe_difference, probability_of_higher_return and probability_of_higher_sharpe (shares of resamples in which the
        difference is above 0), tracking_error, information_ratio, beta, up_capture, down_capture, hit_rate_months.

    Raises:
        BacktestDataError: A column is missing, a day is there twice or absent, a level is not above 0, or a benchmark has
            no levels.
    """
    series = series_by_index(levels)
    pairs = benchmarks_of(series, benchmarks)
    alone = [_Sample(series[index_id], None) for index_id in sorted(benchmarks) if len(series[index_id].levels) > 1]
    samples = [*alone, *(_Sample(own, other) for own, other in pairs)]
    traded = _turnover_per_year(turnover)
    rows: list[Row] = []
    for sample, resampled in zip(samples, _resampled(samples, block_days, draws, seed), strict=True):
        rows += _order_free_rows(sample, resampled)
        rows += _against_rows(sample) if sample.benchmark is not None else _alone_rows(sample.own, traded)
    order = pl.col("benchmark").fill_null("")
    table = pl.DataFrame(rows, schema=STATISTICS_SCHEMA, orient="row").sort("index_id", order, maintain_order=True)
    return table.with_columns(pl.col("value", "low", "high").fill_nan(None))


def _resampled(samples: Sequence[_Sample], block: int, draws: int, seed: int) -> list[dict[str, Floats] | None]:
    """Figures of each sample on its resamples, None where it has too few days; samples of one length share their draws."""
    found: list[dict[str, Floats] | None] = [None] * len(samples)
    by_days: dict[int, list[int]] = {}
    for number, sample in enumerate(samples):
        if sample.days >= FEWEST_BLOCKS * block:
            by_days.setdefault(sample.days, []).append(number)
    for days, numbers in by_days.items():
        per_day = [samples[number].totals() for number in numbers]
        totals = np.concatenate([drawn @ np.hstack(per_day) for drawn in _counts(days, block, draws, seed)])
        for number, part in zip(numbers, np.split(totals, len(numbers), axis=1), strict=True):
            found[number] = samples[number].figures(part)
    return found


def _counts(days: int, block: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each day stands in each resample, some resamples at once."""
    for number, start in enumerate(range(0, draws, DRAWS_AT_ONCE)):
        yield resampled_counts(days, block=block, draws=min(DRAWS_AT_ONCE, draws - start), seed=seed + number)


def _order_free_rows(sample: _Sample, resampled: Mapping[str, Floats] | None) -> Iterator[Row]:
    benchmark = sample.benchmark.index_id if sample.benchmark is not None else None
    named = (sample.own.index_id, benchmark)
    ends = (sample.own.first, sample.own.last)
    for metric, values in sample.figures(sample.totals().sum(axis=0)[None, :]).items():
        drawn = resampled[metric] if resampled is not None else np.empty(0)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist() if len(drawn) else (None, None)
        is_defined = math.isfinite(values[0])
        yield (*named, metric, float(values[0]), low if is_defined else None, high if is_defined else None, *ends)
        if metric in PROBABILITIES:
            probability = float((drawn > 0).mean()) if len(drawn) else None
            yield (*named, PROBABILITIES[metric], probability, None, None, *ends)


def _alone_rows(series: LevelSeries, turnover_per_year: Mapping[str, float]) -> Iterable[Row]:
    levels, ends = series.levels, (series.first, series.last)
    drawdown = largest_drawdown(levels)
    annual = float(figures_of_totals(totals_by_day(daily_returns(levels)).sum(axis=0))["annual_return"])
    has_fallen = drawdown.depth < 0
    trough = series.day(drawdown.trough)
    recovered = series.day(drawdown.recovery) if drawdown.recovery is not None else None
    worst = worst_year(levels)
    found: list[tuple[str, float | None, dt.date, dt.date | None]] = [
        ("total_return", float(levels[-1] / levels[0] - 1), *ends),
        ("max_drawdown", drawdown.depth, series.day(drawdown.peak), trough),
        ("recovery_days", (recovered - trough).days if recovered is not None else None, trough, recovered)
        if has_fallen
        else ("recovery_days", None, *ends),
        ("calmar", calmar(annual, drawdown.depth), *ends),
        ("worst_year", worst[0], series.day(worst[1]), series.day(worst[2])) if worst else ("worst_year", None, *ends),
        ("hit_rate_months", share_above(monthly_returns(levels, first=series.first)), *ends),
        ("turnover_per_year", turnover_per_year.get(series.index_id), *ends),
    ]
    return [(series.index_id, None, metric, value, None, None, first, last) for metric, value, first, last in found]


def _against_rows(sample: _Sample) -> Iterable[Row]:
    own, benchmark = sample.own, sample.benchmark
    if benchmark is None:
        return []
    months = monthly_returns(own.levels, first=own.first)
    other = monthly_returns(benchmark.levels, first=own.first)
    found = {
        "up_capture": capture(months, other, is_up=True),
        "down_capture": capture(months, other, is_up=False),
        "hit_rate_months": share_above(months, other),
    }
    named, ends = (own.index_id, benchmark.index_id), (own.first, own.last)
    return [(*named, metric, value, None, None, *ends) for metric, value in found.items()]


def _turnover_per_year(turnover: pl.DataFrame | None) -> dict[str, float]:
    """Sum of turnover after the first day over the years it spans, by index."""
    if turnover is None:
        return {}
    rows = with_columns_of(turnover, TURNOVER_SCHEMA, what="turnover", key=("index_id", "date")).sort(
        "index_id", "date"
    )
    span = (pl.col("date").max() - pl.col("date").min()).dt.total_days() / DAYS_A_YEAR
    later = pl.col("turnover").filter(pl.col("date") > pl.col("date").min()).sum()
    yearly = rows.group_by("index_id").agg(years=span, later=later).filter(pl.col("years") > 0)
    return dict(yearly.select("index_id", pl.col("later") / pl.col("years")).iter_rows())
