"""Annual return, volatility, Sharpe ratio and largest drawdown of many series at once, whole or over any choice of blocks of days.

Belongs here: figures in arrays, one a variant, with the conventions of `models_ml/backtest/figures.py` (365 days a year, riskless rate 0).
Does not: which blocks go together (`splits.py`), what is asked of the figures (`goals.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models_ml.backtest.figures import SMALLEST_GROWTH, figures_of_totals
from models_ml.features.feature import DAYS_A_YEAR

Floats = npt.NDArray[np.float64]

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Figures:
    """Figures of one shape, a variant in the last axis.

    Attributes:
        annual_return: (end / start)^(365 / days) - 1.
        volatility: Standard deviation of daily returns x sqrt(365).
        sharpe: Mean / standard deviation of daily returns x sqrt(365); NaN where they never vary.
        max_drawdown: Largest loss from a high, a fraction from 0 to 1.
    """

    annual_return: Floats
    volatility: Floats
    sharpe: Floats
    max_drawdown: Floats

    def of(self, position: int) -> dict[str, float]:
        """The figures of one variant, of figures with one axis."""
        return {each.name: float(getattr(self, each.name)[position]) for each in fields(self)}


@dataclass(frozen=True)
class BlockTotals:
    """What a block of days adds to the figures: any blocks can be put together in order of time.

    Every array has one row a block and one column a variant, except `days`. In logarithms, measured from the block's start:
    `growth` is its end, `high` and `low` its highest and lowest level (the start included), `fall` its largest loss from a high.
    """

    days: Floats
    total: Floats
    squares: Floats
    growth: Floats
    high: Floats
    low: Floats
    fall: Floats

    @classmethod
    def of(cls, levels: Floats, *, blocks: int) -> BlockTotals:
        """Cut the days into blocks of equal length, to a day.

        Args:
            levels: One row a variant and one column a day, all above 0.
            blocks: Number of blocks.
        """
        parts = [part for part in np.array_split(np.arange(1, levels.shape[1]), blocks) if len(part)]
        shape = (len(parts), len(levels))
        columns = {name: np.empty(shape) for name in ("total", "squares", "growth", "high", "low", "fall")}
        for start in range(0, len(levels), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            for number, part in enumerate(parts):
                window = levels[rows, part[0] - 1 : part[-1] + 1]
                returns = window[:, 1:] / window[:, :-1] - 1
                path = np.log(np.maximum(window / window[:, :1], SMALLEST_GROWTH))
                columns["total"][number, rows] = returns.sum(axis=1)
                columns["squares"][number, rows] = (returns**2).sum(axis=1)
                columns["growth"][number, rows] = path[:, -1]
                columns["high"][number, rows] = path.max(axis=1)
                columns["low"][number, rows] = path.min(axis=1)
                columns["fall"][number, rows] = (np.maximum.accumulate(path, axis=1) - path).max(axis=1)
        return cls(days=np.array([len(part) for part in parts], dtype=np.float64), **columns)

    def figures(self, choices: Sequence[Sequence[int]]) -> Figures:
        """Figures over each choice of blocks, joined in order of time: one row a choice, one column a variant.

        The largest loss of two stretches joined is the largest of theirs, or from the high of the first to the low of the second.
        """
        found = [self._joined(list(choice)) for choice in choices]
        return Figures(*(np.stack([each[column] for each in found]) for column in range(4)))

    def _joined(self, choice: list[int]) -> tuple[Floats, Floats, Floats, Floats]:
        growth, high, fall = np.zeros(self.total.shape[1]), np.zeros(self.total.shape[1]), np.zeros(self.total.shape[1])
        for block in choice:
            fall = np.maximum(np.maximum(fall, self.fall[block]), high - growth - self.low[block])
            high = np.maximum(high, growth + self.high[block])
            growth = growth + self.growth[block]
        days = np.full(len(growth), self.days[choice].sum())
        zeros = np.zeros(len(growth))
        totals = [days, self.total[choice].sum(axis=0), self.squares[choice].sum(axis=0), zeros, growth]
        named = figures_of_totals(np.stack(totals, axis=-1))
        return named["annual_return"], named["volatility"], named["sharpe"], 1 - np.exp(-fall)


def figures_of(levels: Floats) -> Figures:
    """Figures over all days.

    Args:
        levels: One row a variant and one column a day, all above 0.
    """
    whole = BlockTotals.of(levels, blocks=1).figures([[0]])
    return Figures(*(getattr(whole, each.name)[0] for each in fields(Figures)))


def windows(levels: Floats, *, days: int = DAYS_A_YEAR, step: int = 30) -> Figures:
    """Figures over stretches of `days` that begin every `step` days: one row a stretch, one column a variant.

    No row where the series is shorter.
    """
    starts = range(0, levels.shape[1] - days, step)
    found = [figures_of(levels[:, start : start + days + 1]) for start in starts]
    if not found:
        nothing = np.empty((0, len(levels)))
        return Figures(nothing, nothing, nothing, nothing)
    return Figures(*(np.stack([getattr(one, each.name) for one in found]) for each in fields(Figures)))
