"""Contribution plans: what paying in at once, every week or every month would have come to.

Belongs here: plans over a level, and the money-weighted return of dated cash flows.
Does not: what buying costs; pass a net level where costs are meant to count.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.optimize import brentq

from models_ml.backtest.errors import BacktestDataError, NoRateError
from models_ml.backtest.level_series import LevelSeries, series_by_index
from models_ml.features.feature import DAYS_A_YEAR

PLANS = ("lump_sum", "weekly", "monthly")
TOTAL_USD = 10_000.0
WIDEST_LOG_RATE = 700.0  # e^700 is near the largest float: no rate beyond it can be written down

PLAN_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "plan": pl.String(),
    "contributions": pl.Int64(),
    "paid_in_usd": pl.Float64(),
    "final_value_usd": pl.Float64(),
    "money_weighted_return": pl.Float64(),
    "first_date": pl.Date(),
    "last_date": pl.Date(),
}


def contribution_plans(levels: pl.DataFrame, *, total_usd: float = TOTAL_USD) -> pl.DataFrame:
    """Pay the same total into each index by each plan, from its first level to its last.

    Contributions are equal and buy at the level of their day: `lump_sum` all on the first day, `weekly` every seventh day
    from it on, `monthly` on its day of each month (the last day of a shorter one). Nothing is paid in on the last day,
    which only values. Money not yet paid in earns nothing and is not counted.

    Args:
        levels: One row per index and day without gaps: date, index_id, level (above 0).
        total_usd: Sum that each plan pays in, above 0.

    Returns:
        One row per index and plan: index_id, plan, contributions (their number), paid_in_usd, final_value_usd,
        money_weighted_return (fraction a year, see `money_weighted_return`), first_date, last_date; an index with a single
        level has no row.

    Raises:
        BacktestDataError: A column is missing, a day is there twice or absent, a level or the total is not above 0.
    """
    if total_usd <= 0:
        raise BacktestDataError(f"total_usd is {total_usd}; pay in more than 0")
    rows = []
    for series in series_by_index(levels).values():
        if len(series.levels) < 2:
            continue
        for plan in PLANS:
            positions = _positions(series, plan)
            amount = total_usd / len(positions)
            value = float((amount / series.levels[positions]).sum() * series.levels[-1])
            dates = [*(series.day(position) for position in positions), series.last]
            rate = money_weighted_return(dates, [*([-amount] * len(positions)), value])
            rows.append((series.index_id, plan, len(positions), total_usd, value, rate, series.first, series.last))
    return pl.DataFrame(rows, schema=PLAN_SCHEMA, orient="row")


def money_weighted_return(dates: Sequence[dt.date], flows_usd: Sequence[float]) -> float:
    """The annual rate at which dated cash flows are worth nothing: sum of flow / (1 + rate)^(days / 365) = 0.

    Days are counted from the first flow. What a spreadsheet calls XIRR; unlike that it needs no guess, and says so where
    there is no answer.

    Args:
        dates: Days of the flows, in any order.
        flows_usd: Amounts, negative where money is paid in, positive where it is taken out or held at the end.

    Returns:
        A fraction a year; -1 where the loss is so fast that a float cannot tell it from one of everything.

    Raises:
        NoRateError: All flows have one sign or fall on one day (no rate), they change sign more than once in the order of
            time (more than one rate may fit), or the rate is beyond what a number can hold.
        ValueError: The lists differ in length, or a flow is not finite.
    """
    ordered = sorted(zip(dates, flows_usd, strict=True))
    if not all(math.isfinite(flow) for flow in flows_usd):
        raise ValueError(
            f"cash flows must be finite; got {[flow for flow in flows_usd if not math.isfinite(flow)][:5]}"
        )
    by_day: dict[dt.date, float] = {}
    for day, flow in ordered:
        by_day[day] = by_day.get(day, 0.0) + flow
    days = [day for day, flow in by_day.items() if flow]
    flows = np.array([by_day[day] for day in days])
    changes = int((np.diff(np.sign(flows)) != 0).sum())
    if changes == 0:
        raise NoRateError(
            f"{len(flows_usd)} cash flows on {len(by_day)} days never change sign, so no rate makes them worth nothing"
        )
    if changes > 1:
        raise NoRateError(
            f"cash flows change sign {changes} times from {days[0]} to {days[-1]}, so more than one rate may fit; "
            "split them into stretches with one change each"
        )
    years = np.array([(day - days[0]).days / DAYS_A_YEAR for day in days])

    def worth(log_rate: float) -> float:
        # Scaled by the largest discount, which changes no sign and keeps every term within what a float can hold.
        exponents = -log_rate * years
        return float((flows * np.exp(exponents - exponents.max())).sum())

    reach = 1.0
    while np.sign(worth(-reach)) == np.sign(worth(reach)) and reach < WIDEST_LOG_RATE:
        reach = min(2 * reach, WIDEST_LOG_RATE)
    if np.sign(worth(-reach)) == np.sign(worth(reach)):
        raise NoRateError(f"the rate of cash flows from {days[0]} to {days[-1]} is beyond e^{WIDEST_LOG_RATE:g} a year")
    return math.expm1(float(brentq(worth, -reach, reach, xtol=1e-14, rtol=1e-14)))


def _positions(series: LevelSeries, plan: str) -> list[int]:
    """Positions of the days of contributions, the last level left out."""
    last = len(series.levels) - 1
    if plan == "lump_sum":
        return [0]
    if plan == "weekly":
        return list(range(0, last, 7))
    months = range((series.last.year - series.first.year) * 12 + series.last.month - series.first.month + 1)
    days = pl.Series([series.first] * len(months)).dt.offset_by(pl.Series([f"{month}mo" for month in months]))
    return [position for position in ((day - series.first).days for day in days) if position < last]
