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
    PAIR_COLUMNS,
    SERIES_COLUMNS,
    calmar,
    capture,
    daily_returns,
    figures_of_totals,
    largest_drawdown,
    monthly_returns,
    pair_by_day,
    relative_figures,
    series_by_day,
    share_above,
    worst_year,
)
from models_ml.backtest.level_series import LevelSeries, benchmarks_of, series_by_index
from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.intervals import FEWEST_BLOCKS, LEVEL
from models_ml.learning.evaluation.resampling import DRAWS, SEED, resampled_counts

Floats = npt.NDArray[np.float64]
Row = tuple[str, str | None, str, float | None, float | None, float | None, dt.date, dt.date | None]

BLOCK_DAYS = 60
BOUNDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
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


@dataclass(frozen=True)
class _Figure:
    """A figure that does not depend on the order of days: bounds where it has any, and the share of resamples above 0."""

    value: float
    low: float | None
    high: float | None
    share_above_zero: float | None


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
    for sample, figures in zip(samples, _order_free_figures(samples, block_days, draws, seed), strict=True):
        rows += _order_free_rows(sample, figures)
        if sample.benchmark is not None:
            rows += _against_rows(sample.own, sample.benchmark)
        else:
            rows += _alone_rows(sample.own, figures["annual_return"].value, traded)
    order = pl.col("benchmark").fill_null("")
    table = pl.DataFrame(rows, schema=STATISTICS_SCHEMA, orient="row").sort("index_id", order, maintain_order=True)
    return table.with_columns(pl.col("value", "low", "high").fill_nan(None))


def _order_free_figures(samples: Sequence[_Sample], block: int, draws: int, seed: int) -> list[dict[str, _Figure]]:
    """Figures of each sample; samples of one length share their draws."""
    values: list[dict[str, Floats]] = [{} for _ in samples]
    resampled: list[dict[str, Floats]] = [{} for _ in samples]
    by_days: dict[int, list[int]] = {}
    for number, sample in enumerate(samples):
        by_days.setdefault(sample.days, []).append(number)
    for days, numbers in by_days.items():
        totals = _Totals.of([samples[number] for number in numbers])
        for number, figures in zip(numbers, totals.figures(totals.by_day.sum(axis=0)[None, :]), strict=True):
            values[number] = figures
        if days < FEWEST_BLOCKS * block:
            continue
        drawn = np.concatenate([counts @ totals.by_day for counts in _counts(days, block, draws, seed)])
        for number, figures in zip(numbers, totals.figures(drawn), strict=True):
            resampled[number] = figures
    named = [(number, metric) for number, figures in enumerate(values) for metric in figures]
    found: list[dict[str, _Figure]] = [{} for _ in samples]
    of_draws = [resampled[number].get(metric, np.empty(0)) for number, metric in named]
    for (number, metric), interval in zip(named, _intervals(of_draws), strict=True):
        value = float(values[number][metric][0])
        low, high = interval[:2] if math.isfinite(value) else (None, None)
        found[number][metric] = _Figure(value, low, high, interval[2])
    return found


def _intervals(figures: Sequence[Floats]) -> list[tuple[float | None, float | None, float | None]]:
    """Bounds of each figure from its resamples, and the share of them above 0; those not defined do not count."""
    found: list[tuple[float | None, float | None, float | None]] = [(None, None, None)] * len(figures)
    known = [drawn if is_finite.all() else drawn[is_finite] for drawn in figures for is_finite in (np.isfinite(drawn),)]
    by_count: dict[int, list[int]] = {}
    for number, drawn in enumerate(known):
        by_count.setdefault(len(drawn), []).append(number)
    for count, numbers in by_count.items():
        if count:
            rows = np.stack([known[number] for number in numbers])
            bounds = np.quantile(rows, BOUNDS, axis=1)  # a call costs more than a row
            shares = (rows > 0).mean(axis=1)
            for number, low, high, share in zip(numbers, *bounds.tolist(), shares.tolist(), strict=True):
                found[number] = (low, high, share)
    return found


@dataclass(frozen=True)
class _Totals:
    """What each day adds to the totals of samples of one length; a series that is in many of them is there once.

    Attributes:
        by_day: One row per day: `SERIES_COLUMNS` columns per series, then `PAIR_COLUMNS` per pair of two series.
        series: Number of series.
        pairs: Numbers of both series of each pair.
        positions: For each sample whether it is a pair, and its number among the series or the pairs.
    """

    by_day: Floats
    series: int
    pairs: list[tuple[int, int]]
    positions: list[tuple[bool, int]]

    @classmethod
    def of(cls, samples: Sequence[_Sample]) -> _Totals:
        """Lay out samples of one length."""
        numbers: dict[bytes, int] = {}
        returns: list[Floats] = []

        def number_of(series: LevelSeries) -> int:
            number = numbers.setdefault(series.levels.tobytes(), len(returns))
            if number == len(returns):
                returns.append(daily_returns(series.levels))
            return number

        pairs: list[tuple[int, int]] = []
        positions: list[tuple[bool, int]] = []
        for sample in samples:
            own = number_of(sample.own)
            positions.append((False, own) if sample.benchmark is None else (True, len(pairs)))
            if sample.benchmark is not None:
                pairs.append((own, number_of(sample.benchmark)))
        alone = [series_by_day(each) for each in returns]
        together = [pair_by_day(returns[own], returns[other]) for own, other in pairs]
        return cls(np.hstack([*alone, *together]), len(returns), pairs, positions)

    def figures(self, totals: Floats) -> list[dict[str, Floats]]:
        """Figures of each sample, one a row of totals (sums over days of `by_day`)."""
        rows, days = len(totals), len(self.by_day)
        columns = np.ascontiguousarray(totals.T)
        end = self.series * SERIES_COLUMNS
        series = columns[:end].reshape(self.series, SERIES_COLUMNS, rows)
        pairs = columns[end:].reshape(len(self.pairs), PAIR_COLUMNS, rows)
        count = np.full((1, rows), float(days))
        alone = [figures_of_totals(np.concatenate([count, each]).T) for each in series]
        together = [
            relative_figures(
                alone[own], alone[other], np.concatenate([count, series[own], series[other], pairs[number]]).T
            )
            for number, (own, other) in enumerate(self.pairs)
        ]
        return [(together if is_pair else alone)[number] for is_pair, number in self.positions]


def _counts(days: int, block: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each day stands in each resample, some resamples at once."""
    for number, start in enumerate(range(0, draws, DRAWS_AT_ONCE)):
        yield resampled_counts(days, block=block, draws=min(DRAWS_AT_ONCE, draws - start), seed=seed + number)


def _order_free_rows(sample: _Sample, figures: Mapping[str, _Figure]) -> Iterator[Row]:
    named = (sample.own.index_id, sample.benchmark.index_id if sample.benchmark is not None else None)
    ends = (sample.own.first, sample.own.last)
    for metric, figure in figures.items():
        yield (*named, metric, figure.value, figure.low, figure.high, *ends)
        if metric in PROBABILITIES:
            yield (*named, PROBABILITIES[metric], figure.share_above_zero, None, None, *ends)


def _alone_rows(series: LevelSeries, annual_return: float, turnover_per_year: Mapping[str, float]) -> Iterable[Row]:
    levels, ends = series.levels, (series.first, series.last)
    drawdown = largest_drawdown(levels)
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
        ("calmar", calmar(annual_return, drawdown.depth), *ends),
        ("worst_year", worst[0], series.day(worst[1]), series.day(worst[2])) if worst else ("worst_year", None, *ends),
        ("hit_rate_months", share_above(monthly_returns(levels, first=series.first)), *ends),
        ("turnover_per_year", turnover_per_year.get(series.index_id), *ends),
    ]
    return [(series.index_id, None, metric, value, None, None, first, last) for metric, value, first, last in found]


def _against_rows(own: LevelSeries, benchmark: LevelSeries) -> Iterable[Row]:
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
