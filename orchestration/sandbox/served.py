"""What the providers know at an instant: past days with their defects, and the day that is not over.

Belongs here: visibility by the clock, defects put on top of the truth, prices within a day.
Does not: wire formats (`routes_*.py`), the choice of defects (`defects.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sandbox.clock import MILLISECONDS_A_DAY, SandboxClock
from orchestration.sandbox.market import SimulatedMarket

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

_CHART_COLUMN = {"price_usd": 0, "market_cap_usd": 1, "volume_usd": 2}


@dataclass(frozen=True)
class _Overlay:
    """Defects of one token in one feed, by day number."""

    absent: dict[int, float]  # day -> the instant (days since the start) it appears, infinite for never
    repeated: frozenset[int]
    wrong: dict[tuple[int, str], tuple[float, float]]  # (day, field) -> (value, instant from which it is right)


@dataclass(frozen=True)
class Moment:
    """State of all tokens at an instant, one value per token, NaN where a token is not alive.

    Attributes:
        is_alive: Whether the token trades.
        price: Last price.
        price_day_ago: Price 24 hours before, NaN where it did not exist.
        high: Highest price of the last 24 hours, approximately.
        low: Lowest price of the last 24 hours, approximately.
        cap: Market cap, 0 where the provider lost it.
        cap_day_ago: True market cap 24 hours before.
        volume: Traded in the last 24 hours, USD.
        supply: Circulating tokens.
    """

    is_alive: NDArray[np.bool_]
    price: Floats
    price_day_ago: Floats
    high: Floats
    low: Floats
    cap: Floats
    cap_day_ago: Floats
    volume: Floats
    supply: Floats


class ServedMarket:
    """A market as of a clock.

    Day numbers count from the market's first day; the close of day d exists from instant d + 1 on.
    """

    def __init__(self, market: SimulatedMarket, clock: SandboxClock) -> None:
        """Index the defects by token."""
        self.market = market
        self.clock = clock
        self.index_of = {token.coin_id: index for index, token in enumerate(market.members)}
        self._start_day = market.panel.first_epoch_day
        self._charts = self._overlays("coingecko")
        self._candles = self._overlays("binance")

    # -- time ------------------------------------------------------------------------------------------------------

    def instant(self) -> float:
        """The clock's instant in days since the market's start."""
        return self.clock.milliseconds / MILLISECONDS_A_DAY - self._start_day

    def today(self) -> int:
        """Number of the day that is not over."""
        return self.clock.milliseconds // MILLISECONDS_A_DAY - self._start_day

    def milliseconds_at(self, day: int | Days) -> int | Days:
        """Milliseconds since 1970 at 00:00 UTC of a day number."""
        return (day + self._start_day) * MILLISECONDS_A_DAY

    def day_at(self, milliseconds: float) -> float:
        """Instant in days since the market's start."""
        return milliseconds / MILLISECONDS_A_DAY - self._start_day

    # -- who -------------------------------------------------------------------------------------------------------

    def is_born(self, index: int) -> bool:
        """Whether the token's first day has begun."""
        return bool(self.market.lifetimes.birth[index] <= self.today())

    def is_alive(self, index: int) -> bool:
        """Whether the token trades now."""
        return self.is_born(index) and not self.is_gone(index)

    def is_gone(self, index: int) -> bool:
        """Whether the token's data have stopped for good."""
        lifetimes = self.market.lifetimes
        return bool(lifetimes.is_dead[index] and self.today() > lifetimes.last[index])

    def is_listed(self, index: int) -> bool:
        """Whether the exchange has had the token by now."""
        return 0 <= self.market.lifetimes.listed[index] <= self.today()

    # -- past days -------------------------------------------------------------------------------------------------

    def chart(self, index: int) -> tuple[Days, Floats]:
        """Closed days of a token as CoinGecko's charts have them: day numbers, and (price, cap, volume) a row.

        Absent days are absent, repeated ones come twice, wrong ones are wrong.
        """
        lifetimes, panel, instant = self.market.lifetimes, self.market.panel, self.instant()
        first = int(lifetimes.birth[index])
        stop = min(int(lifetimes.last[index]) + 1, self.today())
        days = np.arange(first, max(stop, first))
        values = np.column_stack([matrix[days, index] for matrix in (panel.close, panel.cap, panel.volume)])
        overlay = self._charts.get(index)
        if overlay is None:
            return days, values
        for (day, name), (value, right_from) in overlay.wrong.items():
            if first <= day < stop and instant < right_from:
                values[day - first, _CHART_COLUMN[name]] = value
        copies = np.ones(len(days), dtype=np.int64)
        for day, appears in overlay.absent.items():
            if first <= day < stop and instant < appears:
                copies[day - first] = 0
        for day in overlay.repeated:
            if first <= day < stop:
                copies[day - first] = 2
        return np.repeat(days, copies), np.repeat(values, copies, axis=0)

    def candles(self, index: int) -> tuple[Days, Floats]:
        """Closed days of a listed token in USDT as the exchange has them.

        Returns:
            Day numbers, and rows of open, high, low, close and base volume.
        """
        lifetimes, panel = self.market.lifetimes, self.market.panel
        first = int(lifetimes.listed[index])
        stop = min(int(lifetimes.last[index]) + 1, self.today())
        days = np.arange(first, max(stop, first))
        rate = panel.usdt_rate[days]
        rate_before = panel.usdt_rate[np.maximum(days - 1, 0)]
        open_, close = panel.open[days, index] / rate_before, panel.close[days, index] / rate
        high = np.maximum(panel.high[days, index] / rate, np.maximum(open_, close))
        low = np.minimum(panel.low[days, index] / rate, np.minimum(open_, close))
        volume = self.venue_share(index) * panel.volume[days, index] / panel.close[days, index]
        rows = np.column_stack([open_, high, low, close, volume])
        overlay = self._candles.get(index)
        if overlay is None:
            return days, rows
        for (day, _), (value, _) in overlay.wrong.items():
            if first <= day < stop:
                row = rows[day - first]
                row[3] = value
                row[1], row[2] = max(row[1], value), min(row[2], value)
        kept = ~np.isin(days, list(overlay.absent))
        return days[kept], rows[kept]

    def venue_share(self, index: int) -> float:
        """Part of a token's volume that trades on the exchange, 0.08 to 0.30, fixed per token."""
        return 0.08 + 0.22 * ((index * 37) % 100) / 100

    # -- within a day ----------------------------------------------------------------------------------------------

    def prices_within(self, day: int, fraction: float | Floats, index: int | slice | NDArray[np.int64]) -> Floats:
        """Prices when `fraction` of a day has passed: a Brownian bridge from open to close, held in the day's range.

        So a price within the day says no more about the close than a real one would.
        """
        panel = self.market.panel
        open_, close = panel.open[day, index], panel.close[day, index]
        swing = np.sqrt(fraction * (1.0 - fraction)) * panel.volatility[day, index] * panel.bridge[day, index]
        path = open_ * np.exp(fraction * np.log(close / open_) + swing)
        return np.clip(path, panel.low[day, index], panel.high[day, index])

    def moment(self) -> Moment:
        """State of all tokens now. Past the market's last day everything stands still at its close."""
        panel, lifetimes = self.market.panel, self.market.lifetimes
        count, days = len(self.market.members), len(panel.close)
        today, fraction = self.today(), self.clock.day_fraction
        if today >= days:
            today, fraction = days - 1, 1.0
        everyone = slice(None)
        if today < 0:
            nothing = np.full(count, np.nan)
            return Moment(np.zeros(count, dtype=np.bool_), *[nothing] * 8)
        price = self.prices_within(today, fraction, everyone)
        yesterday = today - 1
        nothing = np.full(count, np.nan)
        price_before = self.prices_within(yesterday, fraction, everyone) if yesterday >= 0 else nothing
        supply = panel.supply[today]
        cap = price * supply
        cap[[index for index in range(count) if self._has_lost_cap(index, yesterday)]] = 0.0
        before = panel.volume[yesterday] if yesterday >= 0 else panel.volume[today]
        recent = np.where(np.isnan(before), panel.volume[today], before)
        ends = np.stack([price, np.where(np.isnan(price_before), price, price_before)])
        is_alive = ~np.isnan(price) & ~(lifetimes.is_dead & (today > lifetimes.last))
        return Moment(
            is_alive=is_alive,
            price=price,
            price_day_ago=price_before,
            high=ends.max(axis=0) * (1.0 + 0.4 * panel.volatility[today]),
            low=ends.min(axis=0) * (1.0 - 0.4 * panel.volatility[today]),
            cap=cap,
            cap_day_ago=price_before * (panel.supply[yesterday] if yesterday >= 0 else nothing),
            volume=fraction * panel.volume[today] + (1.0 - fraction) * recent,
            supply=supply,
        )

    # -- defects ---------------------------------------------------------------------------------------------------

    def _has_lost_cap(self, index: int, day: int) -> bool:
        overlay = self._charts.get(index)
        return overlay is not None and overlay.wrong.get((day, "market_cap_usd"), (1.0, 0.0))[0] == 0.0

    def _overlays(self, source: str) -> dict[int, _Overlay]:
        grouped: dict[int, _Overlay] = {}
        defects = self.market.defects.filter(pl.col("source") == source)
        for (coin_id,), rows in defects.group_by("coin_id"):
            absent: dict[int, float] = {}
            repeated: set[int] = set()
            wrong: dict[tuple[int, str], tuple[float, float]] = {}
            for row in rows.iter_rows(named=True):
                day = (row["market_date"] - self.market.settings.start).days
                until = np.inf if row["resolved_at"] is None else self._days_until(row["resolved_at"])
                if row["kind"] == "duplicate":
                    repeated.add(day)
                elif row["served_value"] is None:
                    absent[day] = until
                else:
                    wrong[day, row["field"]] = (row["served_value"], until)
            grouped[self.index_of[str(coin_id)]] = _Overlay(absent, frozenset(repeated), wrong)
        return grouped

    def _days_until(self, instant: datetime) -> float:
        return (instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86_400 - self._start_day
