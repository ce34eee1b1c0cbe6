"""CoinGecko's charts: points at 00:00 UTC for closes, finer points for short spans, and the trailing point of now.

The point at 00:00 UTC of a day is the close of the day before.

Belongs here: which points a chart has and how they are written. Does not: parameters and errors
(`routes_coingecko.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.served import ServedMarket

Floats = NDArray[np.float64]

_DAILY_BEYOND_DAYS = 90.0
_HOURLY_BEYOND_DAYS = 1.0
_POINTS_A_DAY_HOURLY = 24
_POINTS_A_DAY_FINEST = 288


@dataclass(frozen=True)
class ChartSpan:
    """Asked-for time in days since the market's start; may reach beyond the data at both ends."""

    first: float
    last: float
    includes_now: bool


def render_chart(served: ServedMarket, index: int, span: ChartSpan, *, is_daily: bool) -> bytes:
    """The JSON body of a chart: `prices`, `market_caps` and `total_volumes` as [milliseconds, value]."""
    days, closes = served.chart(index)
    midnights = days + 1
    within = (midnights >= span.first) & (midnights <= span.last)
    stamps, values = served.milliseconds_at(midnights[within]), closes[within]
    length = span.last - span.first
    if not is_daily and length <= _DAILY_BEYOND_DAYS:
        points = _POINTS_A_DAY_HOURLY if length > _HOURLY_BEYOND_DAYS else _POINTS_A_DAY_FINEST
        stamps, values = _with_points_within_days(served, index, span, np.asarray(stamps), values, points_a_day=points)
    stamps = np.asarray(stamps)
    if span.includes_now and served.is_alive(index):
        moment = served.moment()
        now = [float(moment.price[index]), float(moment.cap[index]), float(moment.volume[index])]
        stamps, values = np.append(stamps, served.clock.milliseconds), np.vstack([values, now])
    series = [_render_points(stamps, values[:, column]) for column in range(3)]
    named = zip(("prices", "market_caps", "total_volumes"), series, strict=True)
    return ("{" + ",".join(f'"{name}":{points}' for name, points in named) + "}").encode()


def _with_points_within_days(
    served: ServedMarket, index: int, span: ChartSpan, stamps: NDArray[np.int64], values: Floats, *, points_a_day: int
) -> tuple[NDArray[np.int64], Floats]:
    """Add the points between the midnights, except on closed days that the chart lacks."""
    token, lifetimes = served.market.panel.token(index), served.market.lifetimes
    present = {*served.chart(index)[0].tolist(), served.today()}
    first = max(int(np.floor(span.first)), int(lifetimes.birth[index]))
    last = min(int(np.floor(span.last)), int(lifetimes.last[index]))
    fractions = np.arange(1, points_a_day) / points_a_day
    all_stamps, all_values = [stamps], [values]
    for day in range(first, last + 1):
        if day not in present:
            continue
        shown = fractions[(day + fractions >= span.first) & (day + fractions <= span.last)]
        prices = served.prices_within(day, shown, index)
        start = np.asarray(served.milliseconds_at(day))
        all_stamps.append(start + np.round(shown * MILLISECONDS_A_DAY).astype(np.int64))
        volume = np.full(len(shown), token.volume[day])
        all_values.append(np.column_stack([prices, prices * token.supply[day], volume]))
    joined, rows = np.concatenate(all_stamps), np.concatenate(all_values)
    order = np.argsort(joined, kind="stable")
    return joined[order], rows[order]


def _render_points(stamps: NDArray[np.int64], values: Floats) -> str:
    return (
        "["
        + ",".join(f"[{stamp},{value!r}]" for stamp, value in zip(stamps.tolist(), values.tolist(), strict=True))
        + "]"
    )
