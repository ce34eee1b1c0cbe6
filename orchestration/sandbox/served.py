"""What the providers know at an instant: past days with their defects, and the day that is not over.

Belongs here: visibility by the clock, defects put on top of the truth, prices within a day.
Does not: wire formats (`routes_*.py`), the choice of defects (`defects.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from orchestration.sandbox.clock import MILLISECONDS_A_DAY, SandboxClock
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.migrations import TickerUse
from orchestration.sandbox.tokens import Token

Floats = NDArray[np.float64]
Days = NDArray[np.int64]

_CHART_COLUMN = {"price_usd": 0, "market_cap_usd": 1, "volume_24h_usd": 2}


@dataclass(frozen=True)
class _Overlay:
    """Defects of one token in one feed, by day number."""

    absent: dict[int, float]  # day -> the instant (days since the start) it appears, infinite for never
    repeated: frozenset[int]
    wrong: dict[tuple[int, str], tuple[float, float]]  # (day, field) -> (value, instant from which it is right)


@dataclass(frozen=True)
class Moment:
    """State of all tokens at an instant, one value per token, NaN where a token is not alive. Not to be written to.

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

    def __init__(self, market: SimulatedMarket, clock: SandboxClock, *, full_history: bool = True) -> None:
        """Index the defects by token.

        Args:
            market: The truth.
            clock: What is visible.
            full_history: Whether providers whose public plan ends after a year serve more.
        """
        self.full_history = full_history
        self.market = market
        self.clock = clock
        self.index_of = {token.coin_id: index for index, token in enumerate(market.members)}
        self._start_day = market.panel.first_epoch_day
        self._uses_by_ticker: dict[str, list[TickerUse]] = {}
        self._uses_by_index: dict[int, list[TickerUse]] = {}
        for use in market.ticker_uses:
            self._uses_by_ticker.setdefault(use.symbol, []).append(use)
            self._uses_by_index.setdefault(use.index, []).append(use)
        self._moment: tuple[datetime, Moment] | None = None
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

    @property
    def members(self) -> list[Token]:
        """All tokens under the names and tickers they go by now; `market.members` has those of their first day."""
        names = [change for change in self.market.identities.name_changes if change.first_day <= self.today()]
        if not names:
            return self.market.members
        members = list(self.market.members)
        for change in names:
            members[change.index] = replace(members[change.index], symbol=change.symbol, name=change.name)
        return members

    # -- the reference exchange's tickers --------------------------------------------------------------------------

    def tickers(self) -> list[str]:
        """Every ticker that the exchange has had by now, whether it trades or not."""
        return [ticker for ticker, (first, *_) in self._uses_by_ticker.items() if first.first_day <= self.today()]

    def use_of(self, ticker: str) -> TickerUse | None:
        """Who goes, or last went, by a ticker on the exchange by now; None where nobody has."""
        begun = [use for use in self._uses_by_ticker.get(ticker, []) if use.first_day <= self.today()]
        return begun[-1] if begun else None

    def is_trading(self, ticker: str) -> bool:
        """Whether a ticker trades on the exchange now."""
        use = self.use_of(ticker)
        return use is not None and (use.last_day is None or self.today() <= use.last_day)

    def ticker_candles(self, ticker: str) -> tuple[Days, Floats]:
        """Closed days under a ticker as the exchange has them; where a second token has got it, spliced to the first.

        Returns:
            Day numbers, and rows of open, high, low, close and base volume, as `candles`.
        """
        parts = [self._candles_in_use(use) for use in self._uses_by_ticker.get(ticker, [])]
        if not parts:
            return np.arange(0), np.empty((0, 5))
        return np.concatenate([days for days, _ in parts]), np.concatenate([rows for _, rows in parts])

    # -- past days -------------------------------------------------------------------------------------------------

    def closed_days(self, index: int) -> Days:
        """Numbers of the days that a token has lived through by now."""
        lifetimes = self.market.lifetimes
        first = int(lifetimes.birth[index])
        stop = min(int(lifetimes.last[index]) + 1, self.today())
        return np.arange(first, max(stop, first))

    def closes(self, index: int) -> tuple[Days, Floats]:
        """True closes in USD of the closed days of a token: day numbers and values."""
        days = self.closed_days(index)
        return days, self.market.panel.token(index).close[days]

    def volumes(self, index: int) -> tuple[Days, Floats]:
        """True volumes in USD of the closed days of a token: day numbers and values."""
        days = self.closed_days(index)
        return days, self.market.panel.token(index).volume[days]

    def caps(self, index: int) -> tuple[Days, Floats]:
        """True market caps in USD of the closed days of a token: day numbers and values."""
        days = self.closed_days(index)
        return days, self.market.panel.token(index).cap[days]

    def supplies(self, index: int) -> tuple[Days, Floats]:
        """True circulating tokens of the closed days of a token: day numbers and values."""
        days = self.closed_days(index)
        return days, self.market.panel.token(index).supply[days]

    def chart(self, index: int) -> tuple[Days, Floats]:
        """Closed days of a token as CoinGecko's charts have them: day numbers, and (price, cap, volume) a row.

        Absent days are absent, repeated ones come twice, wrong ones are wrong.
        """
        instant, token = self.instant(), self.market.panel.token(index)
        days = self.closed_days(index)
        values = np.column_stack([token.close[days], token.cap[days], token.volume[days]])
        overlay = self._charts.get(index)
        if overlay is None:
            return days, values
        first, stop = int(self.market.lifetimes.birth[index]), int(self.market.lifetimes.birth[index]) + len(days)
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
        """Closed days of a listed token in USDT as the exchange has them, under whatever tickers.

        Returns:
            Day numbers, and rows of open, high, low, close and base volume.
        """
        parts = [self._candles_in_use(use) for use in self._uses_by_index[index]]
        return np.concatenate([days for days, _ in parts]), np.concatenate([rows for _, rows in parts])

    def _candles_in_use(self, use: TickerUse) -> tuple[Days, Floats]:
        """Closed days of one token under one ticker, with the defects of the exchange."""
        index, token = use.index, self.market.panel.token(use.index)
        last = int(self.market.lifetimes.last[index]) if use.last_day is None else use.last_day
        first, stop = use.first_day, min(last + 1, self.today())
        days = np.arange(first, max(stop, first))
        rate = self.market.panel.usdt_rate[days]
        rate_before = self.market.panel.usdt_rate[np.maximum(days - 1, 0)]
        open_, close = token.open[days] / rate_before, token.close[days] / rate
        high = np.maximum(token.high[days] / rate, np.maximum(open_, close))
        low = np.minimum(token.low[days] / rate, np.minimum(open_, close))
        volume = self.venue_share(index) * token.volume[days] / token.close[days]
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
        # One token's days lie together on disk, and one day's tokens do.
        known, at = (panel.token(int(index)), day) if isinstance(index, int | np.integer) else (panel.day(day), index)
        open_, close = known.open[at], known.close[at]
        swing = np.sqrt(fraction * (1.0 - fraction)) * known.volatility[at] * known.bridge[at]
        path = open_ * np.exp(fraction * np.log(close / open_) + swing)
        return np.clip(path, known.low[at], known.high[at])

    def moment(self) -> Moment:
        """State of all tokens now. Past the market's last day everything stands still at its close."""
        now, kept = self.clock.now, self._moment
        if kept is None or kept[0] != now:
            kept = (now, self._moment_now())
            self._moment = kept
        return kept[1]

    def _moment_now(self) -> Moment:
        panel, lifetimes = self.market.panel, self.market.lifetimes
        count, days = len(self.market.members), panel.day_count
        today, fraction = self.today(), self.clock.day_fraction
        if today >= days:
            today, fraction = days - 1, 1.0
        nothing = np.full(count, np.nan)
        if today < 0:
            return Moment(np.zeros(count, dtype=np.bool_), *[nothing] * 8)
        now, before = panel.day(today), panel.day(max(today - 1, 0))
        price = self.prices_within(today, fraction, slice(None))
        price_before = self.prices_within(today - 1, fraction, slice(None)) if today > 0 else nothing
        cap = price * now.supply
        cap[[index for index in self._charts if self._has_lost_cap(index, today - 1)]] = 0.0
        recent = np.where(np.isnan(before.volume), now.volume, before.volume)
        ends = np.stack([price, np.where(np.isnan(price_before), price, price_before)])
        return Moment(
            is_alive=~np.isnan(price) & ~(lifetimes.is_dead & (today > lifetimes.last)),
            price=price,
            price_day_ago=price_before,
            high=ends.max(axis=0) * (1.0 + 0.4 * now.volatility),
            low=ends.min(axis=0) * (1.0 - 0.4 * now.volatility),
            cap=cap,
            cap_day_ago=price_before * before.supply,
            volume=fraction * now.volume + (1.0 - fraction) * recent,
            supply=now.supply,
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
