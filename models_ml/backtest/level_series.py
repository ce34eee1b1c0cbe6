"""Daily levels of many indices as arrays, and the stretch that two of them share.

Belongs here: what statistics, start dates and plans read.
Does not: any figure (`figures.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.errors import BacktestDataError, with_columns_of

Floats = npt.NDArray[np.float64]

LEVEL_COLUMNS: dict[str, pl.DataType] = {"date": pl.Date(), "index_id": pl.String(), "level": pl.Float64()}


@dataclass(frozen=True)
class LevelSeries:
    """Levels of one index, one a day from `first` on without gaps, positive."""

    index_id: str
    first: dt.date
    levels: Floats

    @property
    def last(self) -> dt.date:
        """Day of the last level."""
        return self.day(len(self.levels) - 1)

    def day(self, position: int) -> dt.date:
        """The day of a level."""
        return self.first + dt.timedelta(days=position)

    def between(self, first: dt.date, last: dt.date) -> LevelSeries:
        """The levels from one day to another, both included and within the series."""
        start = (first - self.first).days
        return LevelSeries(self.index_id, first, self.levels[start : start + (last - first).days + 1])


def series_by_index(levels: pl.DataFrame) -> dict[str, LevelSeries]:
    """Levels as one array an index, by index_id.

    Args:
        levels: One row per index and day: date, index_id, level.

    Raises:
        BacktestDataError: A column is missing, a day is there twice or absent, or a level is not above 0.
    """
    rows = with_columns_of(levels, LEVEL_COLUMNS, what="levels", key=("index_id", "date")).sort("index_id", "date")
    level = pl.col("level")
    wrong = rows.filter(level.is_null() | ~level.is_finite() | (level <= 0)).head(1)
    if wrong.height:
        raise BacktestDataError(
            f"levels: {wrong['index_id'][0]} has the level {wrong['level'][0]} on {wrong['date'][0]}; "
            "returns need levels above 0"
        )
    gap = rows.filter(pl.col("date").diff().over("index_id") > pl.duration(days=1)).head(1)
    if gap.height:
        raise BacktestDataError(
            f"levels: {gap['index_id'][0]} has no level on the day before {gap['date'][0]}; daily figures need every day, "
            "so recompute levels with gross_levels or net_levels"
        )
    return {
        index_id: LevelSeries(index_id, frame["date"][0], frame["level"].to_numpy())
        for (index_id,), frame in rows.partition_by("index_id", as_dict=True).items()
    }


def shared_stretch(own: LevelSeries, other: LevelSeries) -> tuple[LevelSeries, LevelSeries] | None:
    """Both series over the days they share, or None where these are fewer than two."""
    first, last = max(own.first, other.first), min(own.last, other.last)
    if (last - first).days < 1:
        return None
    return own.between(first, last), other.between(first, last)


def benchmarks_of(
    series: Mapping[str, LevelSeries], benchmarks: Mapping[str, Sequence[str]]
) -> list[tuple[LevelSeries, LevelSeries]]:
    """Pairs of an index and a benchmark over the days they share; a pair that shares fewer than two is left out.

    Raises:
        BacktestDataError: An index or a benchmark has no levels.
    """
    absent = sorted({name for index_id, names in benchmarks.items() for name in (index_id, *names)} - series.keys())
    if absent:
        raise BacktestDataError(f"levels: none of {', '.join(absent)}; pass the levels of benchmarks, too")
    pairs = (
        shared_stretch(series[index_id], series[name])
        for index_id in sorted(benchmarks)
        for name in benchmarks[index_id]
    )
    return [pair for pair in pairs if pair is not None]
