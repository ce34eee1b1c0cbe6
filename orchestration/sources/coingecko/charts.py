"""Daily closes of one coin, from market_chart and market_chart/range.

Belongs here: which points are closes. Does not: requests and plans (`client.py`).

Of each UTC day D the first sample within 15 minutes of 00:00 is the close of D - 1. Other samples are intraday and left
out, and so is the last point where it is "now" instead of a sample at midnight.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sources.coingecko.lists import MARKET_DAILY
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import (
    CLOCK_SKEW,
    Fetched,
    Rejected,
    UnreadableValueError,
    read_number,
    read_positive,
    read_unix,
    refuse_future,
    validate_frame,
)

MIDNIGHT_TOLERANCE: Final = timedelta(minutes=15)
"""How long after 00:00 a sample still counts as the close; hourly ranges and 2018's history are some minutes late."""

_EPOCH: Final = date(1970, 1, 1)
_MILLISECONDS_A_DAY: Final = 86_400_000
_SERIES: Final = ("prices", "market_caps", "total_volumes")


@dataclass(frozen=True)
class Chart:
    """Closes of one coin as they were read, not held against the rules of `coingecko/market_daily` yet.

    Attributes:
        coin_id: The coin.
        symbol: Ticker to note in the rows.
        days: Days of the closes, counted from 1970-01-01.
        values: Price, market cap and volume a row, NaN where missing.
        rejected: Points that could not be read.
    """

    coin_id: str
    symbol: str | None
    days: NDArray[np.int64]
    values: NDArray[np.float64]
    rejected: tuple[Rejected, ...] = field(default=())

    def within(self, start: date, end: date) -> Chart:
        """The closes from one day to another, both included."""
        is_within = (self.days >= (start - _EPOCH).days) & (self.days <= (end - _EPOCH).days)
        return replace(self, days=self.days[is_within], values=self.values[is_within])


def join_charts(charts: Iterable[Chart], *, now: datetime) -> Fetched:
    """Charts of several coins as rows that may land; the rules cost as much for fifty charts as for one."""
    gathered = list(charts)
    lengths = [len(chart.days) for chart in gathered]
    days = np.concatenate([chart.days for chart in gathered]) if gathered else np.empty(0, dtype=np.int64)
    values = np.concatenate([chart.values for chart in gathered]) if gathered else np.empty((0, len(_SERIES)))
    place = np.repeat(np.arange(len(gathered)), lengths)
    frame = pl.DataFrame(
        {
            "coin_id": pl.Series([chart.coin_id for chart in gathered], dtype=pl.String)[place],
            "symbol": pl.Series([chart.symbol for chart in gathered], dtype=pl.String)[place],
            "market_date": pl.Series(days.astype(np.int32)).cast(pl.Date),
            "price_usd": values[:, 0],
            "market_cap_usd": values[:, 1],
            "volume_24h_usd": values[:, 2],
        }
    ).with_columns(pl.col("price_usd", "market_cap_usd", "volume_24h_usd").fill_nan(None))
    rejected = [item for chart in gathered for item in chart.rejected]
    return validate_frame(MARKET_DAILY, frame, now=now, rejected=rejected)


def parse_market_chart(payload: Any, *, coin_id: str, symbol: str | None, now: datetime) -> Fetched:
    """Turn market_chart or market_chart/range into closes that may land.

    Raises:
        UnexpectedBodyError: It holds no list `prices`.
    """
    return join_charts([read_chart(payload, coin_id=coin_id, symbol=symbol, now=now)], now=now)


def read_chart(payload: Any, *, coin_id: str, symbol: str | None, now: datetime) -> Chart:
    """Read market_chart or market_chart/range.

    Raises:
        UnexpectedBodyError: It holds no list `prices`.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("prices"), list):
        raise UnexpectedBodyError(f"coingecko: market_chart of {coin_id} holds no list `prices`: {str(payload)[:200]}")
    table = _as_table(payload, now=now)
    if table is None:
        return _read_points(payload, coin_id=coin_id, symbol=symbol, now=now)
    days, values = _closes(table, now=now)
    return Chart(coin_id, symbol, days, values)


# -- charts without a blemish, which is nearly all of them -------------------------------------------------------------


def _as_table(payload: dict[str, Any], *, now: datetime) -> NDArray[np.float64] | None:
    """Time, price, cap and volume as columns; None where a value is odd, in the future, or out of step."""
    series = []
    for name in _SERIES:
        points = payload.get(name)
        if not isinstance(points, list) or not set(map(type, points)) <= {list} or not set(map(len, points)) <= {2}:
            return None
        if not set(map(type, chain.from_iterable(points))) <= {int, float, type(None)}:
            return None
        try:
            series.append(np.array(points, dtype=np.float64).reshape(-1, 2))
        except OverflowError:  # a whole number of hundreds of digits
            return None
    times = series[0][:, 0]
    if any(len(each) != len(times) or not np.array_equal(each[:, 0], times) for each in series):
        return None  # a null among the times lands here too, since it equals nothing
    if not np.isfinite(times).all() or (len(times) and times.max() > 1000 * (now + CLOCK_SKEW).timestamp()):
        return None
    table = np.column_stack([times, *(each[:, 1] for each in series)])
    if np.isinf(table).any():
        return None
    distinct = len(np.unique(times))
    if distinct < len(times) and len(np.unique(table, axis=0)) > distinct:
        return None  # two points of one time that disagree
    return table


def _closes(table: NDArray[np.float64], *, now: datetime) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    times = table[:, 0].astype(np.int64)
    days, delays = np.divmod(times, _MILLISECONDS_A_DAY)
    is_close = delays <= MIDNIGHT_TOLERANCE // timedelta(milliseconds=1)
    if len(times) and delays[-1] > 0 and days[-1] == (now.astimezone(UTC).date() - _EPOCH).days:
        is_close[-1] = False
    days, delays, table = days[is_close], delays[is_close], table[is_close]
    if delays.any():  # several samples of a day may be near its midnight: the first counts
        first = dict(sorted(zip(days.tolist(), delays.tolist(), strict=True), reverse=True))
        is_first = delays == [first[day] for day in days.tolist()]
        days, table = days[is_first], table[is_first]
    values = table[:, 1:]
    values[values[:, 1] == 0.0, 1] = np.nan  # a cap of 0 is not known
    return days - 1, values


# -- all others, point by point ----------------------------------------------------------------------------------------


def _read_points(payload: dict[str, Any], *, coin_id: str, symbol: str | None, now: datetime) -> Chart:
    rejected: list[Rejected] = []
    market_caps = _values_by_time(payload.get("market_caps"))
    volumes = _values_by_time(payload.get("total_volumes"))
    samples_by_day: dict[date, list[tuple[timedelta, tuple[float | None, ...]]]] = {}
    for position, point in enumerate(payload["prices"], start=1):
        try:
            taken_at, price = _read_point(point)
            refuse_future(taken_at, now=now, column="timestamp")
            midnight = taken_at.replace(hour=0, minute=0, second=0, microsecond=0)
            delay = taken_at - midnight
            is_now = position == len(payload["prices"]) and delay and midnight.date() == now.astimezone(UTC).date()
            if delay > MIDNIGHT_TOLERANCE or is_now:
                continue
            cap = read_positive(market_caps.get(point[0]), column="market_cap")
            volume = read_number(volumes.get(point[0]), column="total_volume")
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"coin_id": coin_id, "point": point}))
            continue
        samples_by_day.setdefault((midnight - timedelta(days=1)).date(), []).append((delay, (price, cap, volume)))
    closes = [
        (day, values)
        for day, samples in samples_by_day.items()
        for delay, values in samples
        if delay == min(delay for delay, _ in samples)
    ]
    days = np.array([(day - _EPOCH).days for day, _ in closes], dtype=np.int64)
    values = np.array([values for _, values in closes], dtype=np.float64).reshape(-1, len(_SERIES))
    return Chart(coin_id, symbol, days, values, tuple(rejected))


def _read_point(point: Any) -> tuple[datetime, float | None]:
    if not isinstance(point, list) or len(point) != 2:
        raise UnreadableValueError("point is no pair of time and value")
    return read_unix(point[0], column="timestamp", per_second=1000), read_number(point[1], column="price")


def _values_by_time(points: Any) -> dict[Any, Any]:
    if not isinstance(points, list):
        return {}
    pairs = (point for point in points if isinstance(point, list) and len(point) == 2)
    return {time: value for time, value in pairs if isinstance(time, (int, float))}
