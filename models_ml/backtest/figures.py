"""Figures of one series of daily levels, and of one against another, as plain arithmetic on arrays.

Belongs here: the formulas. Returns are daily and simple, a year has 365 of them, the riskless rate is 0.
Does not: tables of many series and intervals (`statistics.py`), other starts (`start_dates.py`).

Figures that do not depend on the order of days are computed from totals over days, so that the same formula serves the
series and, with how often each day counts, its resamples. Every figure that is not defined is NaN.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.features.feature import DAYS_A_YEAR
from models_ml.learning.evaluation.deflated_sharpe import SMALLEST_SPREAD, sharpe_of_totals

Floats = npt.NDArray[np.float64]

SERIES_COLUMNS = 4  # of a series among the totals: returns, their squares, squares of the negative ones, log growth
PAIR_COLUMNS = 3  # of a series and its benchmark: products, differences, squares of these
SMALLEST_GROWTH = 1e-300  # a series that lost everything has a logarithm, too
ROOT_OF_YEAR = math.sqrt(DAYS_A_YEAR)


@dataclass(frozen=True)
class Drawdown:
    """The largest loss from a high: a fraction, at most 0, and the positions of its days.

    `recovery` is the first day after the trough that reaches the high again, None where there is none.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None


def daily_returns(levels: Floats) -> Floats:
    """Simple returns from day to day, one fewer than levels."""
    return np.asarray(levels[1:] / levels[:-1] - 1, dtype=np.float64)


def totals_by_day(returns: Floats, benchmark: Floats | None = None) -> Floats:
    """What each day adds to the totals that `figures_of_totals` reads: a row a day.

    Args:
        returns: Daily returns.
        benchmark: Those of the benchmark on the same days; itself where None.
    """
    other = returns if benchmark is None else benchmark
    ones = np.ones(len(returns))
    return np.column_stack([ones, series_by_day(returns), series_by_day(other), pair_by_day(returns, other)])


def series_by_day(returns: Floats) -> Floats:
    """What each day of one series adds to the totals: the `SERIES_COLUMNS` of `totals_by_day`, days x 4."""
    growth = np.log(np.maximum(1 + returns, SMALLEST_GROWTH))
    return np.column_stack([returns, returns**2, np.minimum(returns, 0) ** 2, growth])


def pair_by_day(returns: Floats, benchmark: Floats) -> Floats:
    """What each day of a series and its benchmark adds to the totals: the `PAIR_COLUMNS` of `totals_by_day`, days x 3."""
    excess = returns - benchmark
    return np.column_stack([returns * benchmark, excess, excess**2])


def figures_of_totals(totals: Floats) -> dict[str, Floats]:
    """Figures of one series that do not depend on the order of days, one a row of totals.

    annual_return: (end / start)^(365 / days) - 1.
    volatility: standard deviation of returns x sqrt(365).
    sharpe: mean / standard deviation x sqrt(365) (Sharpe 1994, J. Portfolio Management 21(1)), riskless rate 0.
    sortino: mean / sqrt(mean of min(return, 0)^2) x sqrt(365) (Sortino, van der Meer 1991, J. Portfolio Management 17(4)).
    """
    count, total, squares, falls, growth = (totals[..., column] for column in range(5))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return {
            "annual_return": np.exp(growth / count * DAYS_A_YEAR) - 1,
            "volatility": _deviation(total, squares, count) * ROOT_OF_YEAR,
            "sharpe": sharpe_of_totals(np.stack([total, squares, count], axis=-1)) * ROOT_OF_YEAR,
            "sortino": np.where(falls > 0, total / count / np.sqrt(falls / count), np.nan) * ROOT_OF_YEAR,
        }


def relative_figures_of_totals(totals: Floats) -> dict[str, Floats]:
    """Figures against the benchmark that do not depend on the order of days, one a row of totals.

    annual_return_difference, sharpe_difference: that of the series less that of the benchmark.
    tracking_error: standard deviation of the difference of returns x sqrt(365).
    information_ratio: mean of the difference / its standard deviation x sqrt(365) (Grinold, Kahn 2000, Active Portfolio
    Management, 2nd ed., ch. 5).
    beta: covariance of both / variance of the benchmark.
    """
    own, twin = (figures_of_totals(totals[..., columns]) for columns in ([0, 1, 2, 3, 4], [0, 5, 6, 7, 8]))
    return relative_figures(own, twin, totals)


def relative_figures(own: Mapping[str, Floats], twin: Mapping[str, Floats], totals: Floats) -> dict[str, Floats]:
    """As `relative_figures_of_totals`, where the figures of both series are known from their own totals."""
    count, total, squares = totals[..., 0], totals[..., 1], totals[..., 2]
    other, other_squares = totals[..., 5], totals[..., 6]
    product, excess, excess_squares = totals[..., 9], totals[..., 10], totals[..., 11]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (other_squares - other**2 / count) / (count - 1)
        covariance = (product - total * other / count) / (count - 1)
        # What is left of two equal series is rounding error, which has no ratio; `squares` gives its size.
        is_apart = excess_squares > SMALLEST_SPREAD * squares
        ratio = sharpe_of_totals(np.stack([excess, excess_squares, count], axis=-1)) * ROOT_OF_YEAR
        return {
            "annual_return_difference": own["annual_return"] - twin["annual_return"],
            "sharpe_difference": own["sharpe"] - twin["sharpe"],
            "tracking_error": _deviation(excess, excess_squares, count) * ROOT_OF_YEAR,
            "information_ratio": np.where(is_apart, ratio, np.nan),
            "beta": np.where(variance > SMALLEST_SPREAD * other_squares / count, covariance / variance, np.nan),
        }


def largest_drawdown(levels: Floats) -> Drawdown:
    """The largest loss from the highest level so far; of equal ones the first."""
    high = np.maximum.accumulate(levels)
    depth = levels / high - 1
    trough = int(depth.argmin())
    peak = int(levels[: trough + 1].argmax())
    regained = np.flatnonzero(levels[trough:] >= high[trough])
    recovery = trough + int(regained[0]) if len(regained) and depth[trough] < 0 else None
    return Drawdown(float(depth[trough]), peak, trough, recovery)


def calmar(annual_return: float, depth: float) -> float:
    """Annual return over the depth of the largest drawdown (Young 1991, Futures 20(1)); NaN without a drawdown."""
    return annual_return / -depth if depth < 0 else math.nan


def worst_year(levels: Floats) -> tuple[float, int, int] | None:
    """The lowest return over 365 days and the positions of its first and last level; None where there are fewer days."""
    if len(levels) <= DAYS_A_YEAR:
        return None
    returns = levels[DAYS_A_YEAR:] / levels[:-DAYS_A_YEAR] - 1
    start = int(returns.argmin())
    return float(returns[start]), start, start + DAYS_A_YEAR


def monthly_returns(levels: Floats, *, first: dt.date) -> Floats:
    """Returns of the whole calendar months within daily levels, from the close that ends one to that of the next.

    Args:
        levels: One a day, without gaps.
        first: Day of the first.
    """
    months = (np.datetime64(first, "D") + np.arange(len(levels) + 1)).astype("datetime64[M]")
    closes = levels[months[1:] > months[:-1]]
    return daily_returns(closes) if len(closes) > 1 else np.empty(0)


def capture(months: Floats, benchmark: Floats, *, is_up: bool) -> float:
    """Geometric mean return over that of the benchmark in the months in which the benchmark rose (or fell).

    Below 1 in falling months means that less was lost. NaN where there is no such month.

    Source: Morningstar, *Upside and Downside Capture Ratios* methodology; monthly means, not annualised, because a good
    month of a token, compounded twelve times, says nothing.
    """
    chosen = benchmark > 0 if is_up else benchmark < 0
    if not chosen.any():
        return math.nan
    own, other = (
        float(np.exp(np.log(np.maximum(1 + values[chosen], SMALLEST_GROWTH)).mean()) - 1)
        for values in (months, benchmark)
    )
    return own / other


def share_above(months: Floats, benchmark: Floats | float = 0.0) -> float:
    """Share of months whose return exceeds that of the benchmark, or 0; NaN without a month."""
    return float((months > benchmark).mean()) if len(months) else math.nan


def _deviation(total: Floats, squares: Floats, count: Floats) -> Floats:
    """Sample standard deviations from totals; NaN below two days."""
    variance = np.maximum(squares - total**2 / count, 0.0) / (count - 1)
    return np.asarray(np.where(count > 1, np.sqrt(variance), np.nan), dtype=np.float64)
