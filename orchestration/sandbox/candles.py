"""From log returns to what a market shows: prices, candles, supply, market caps and volume.

The panel lies in a scratch file (`day_blocks.py`), so that a market of any size takes little memory; one token's history
or one day of all tokens is read when somebody asks.

Belongs here: the true panel, days by tokens. Does not: what a provider serves of it (`defects.py`, `served.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.day_blocks import DayBlocks
from orchestration.sandbox.lifetimes import Lifetimes
from orchestration.sandbox.prices import Floats, ReturnBlock
from orchestration.sandbox.settings import SimulationSettings, Stream
from orchestration.sandbox.tokens import Token

DAYS_A_YEAR = 365
_EPOCH_ORDINAL = 719_163  # ordinal of 1970-01-01
_STORED: Final = ("open", "high", "low", "close", "volume", "bridge", "volatility")
_TOKENS_KEPT = 64
_DAYS_KEPT = 8


@dataclass(frozen=True)
class Slice:
    """All days of one token, or all tokens on one day; NaN where a token is not alive. The arrays are read-only.

    Attributes:
        open: Price at 00:00 UTC, equal to the close before it.
        supply: Circulating tokens.
        cap: Market cap, USD.
        volume: USD.
        bridge: Standard normal draws that give the path within a day (`served.py`).
        volatility: Standard deviation of the daily log return, never NaN.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    supply: Floats
    cap: Floats
    volume: Floats
    bridge: Floats
    volatility: Floats


class PanelField:
    """One quantity of the panel, indexed as an array of shape (days, tokens) would be, read as far as it is asked for.

    `field[day]` and `field[day, tokens]` read a day, `field[days, token]` reads a token, and `np.asarray(field)` all.
    """

    def __init__(self, panel: Panel, name: str) -> None:
        self._panel, self._name = panel, name

    @property
    def shape(self) -> tuple[int, int]:
        """Days and tokens."""
        return self._panel.day_count, self._panel.token_count

    def __len__(self) -> int:
        """Number of days."""
        return self._panel.day_count

    @overload
    def __getitem__(self, key: tuple[int, int]) -> np.float64: ...

    @overload
    def __getitem__(self, key: Any) -> Floats: ...

    def __getitem__(self, key: Any) -> Any:
        """A day, a token, one of their values, or a part of either."""
        days, tokens = key if isinstance(key, tuple) else (key, slice(None))
        if isinstance(tokens, int | np.integer):
            return getattr(self._panel.token(int(tokens)), self._name)[days]
        if isinstance(days, int | np.integer):
            return getattr(self._panel.day(int(days)), self._name)[tokens]
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole matrix in memory."""
        columns = [getattr(self._panel.token(index), self._name) for index in range(self._panel.token_count)]
        return np.ascontiguousarray(np.column_stack(columns), dtype=dtype)


class Panel:
    """The true market by day and token.

    Attributes:
        first_epoch_day: Days from 1970-01-01 to the first row.
        day_count: Rows.
        token_count: Columns.
        usdt_rate: USD per USDT at the close, shape (days,); what turns USD into the exchange's quote.
        lowest: Lowest price of each token in its life.
        highest: Highest price of each token in its life.
    """

    def __init__(
        self, reader: _Reader, *, first_epoch_day: int, usdt_index: int, lowest: Floats, highest: Floats
    ) -> None:
        """Read from a store that is complete."""
        self.first_epoch_day = first_epoch_day
        self.day_count, self.token_count = reader.day_count, len(lowest)
        self.lowest, self.highest = lowest, highest
        self._token = lru_cache(maxsize=_TOKENS_KEPT)(reader.token)
        self._day = lru_cache(maxsize=_DAYS_KEPT)(reader.day)
        self.usdt_rate = self.token(usdt_index).close

    def token(self, index: int) -> Slice:
        """All days of one token; a negative index counts from the end."""
        return self._token(range(self.token_count)[index])

    def day(self, day: int) -> Slice:
        """All tokens on one day; a negative day counts from the end."""
        return self._day(range(self.day_count)[day])

    @property
    def open(self) -> PanelField:
        """Prices at 00:00 UTC, equal to the close before."""
        return PanelField(self, "open")

    @property
    def high(self) -> PanelField:
        """Highest prices of the day."""
        return PanelField(self, "high")

    @property
    def low(self) -> PanelField:
        """Lowest prices of the day."""
        return PanelField(self, "low")

    @property
    def close(self) -> PanelField:
        """Prices at the day's end."""
        return PanelField(self, "close")

    @property
    def supply(self) -> PanelField:
        """Circulating tokens."""
        return PanelField(self, "supply")

    @property
    def cap(self) -> PanelField:
        """Market caps, USD."""
        return PanelField(self, "cap")

    @property
    def volume(self) -> PanelField:
        """Traded in the day, USD."""
        return PanelField(self, "volume")

    @property
    def bridge(self) -> PanelField:
        """Standard normal draws that give the path within a day."""
        return PanelField(self, "bridge")

    @property
    def volatility(self) -> PanelField:
        """Standard deviations of the daily log return."""
        return PanelField(self, "volatility")


@dataclass(frozen=True)
class _Supplies:
    """Circulating supply of every token: straight growth from its birth, up to the largest supply.

    Attributes:
        factor: What multiplies the supply of some tokens, by token, shape (days,).
    """

    opening: Floats
    growth: Floats
    largest: Floats
    birth: NDArray[np.int64]
    last: NDArray[np.int64]
    factor: Mapping[int, Floats]

    def of(self, days: int | NDArray[np.int64], tokens: int | slice) -> Floats:
        """Supply on some days of some tokens, one of them a single one."""
        birth = self.birth[tokens]
        age_years = np.maximum(days - birth, 0) / DAYS_A_YEAR
        supply = np.minimum(self.opening[tokens] * (1.0 + self.growth[tokens] * age_years), self.largest[tokens])
        if isinstance(tokens, slice):
            for index, factor in self.factor.items():
                supply[index] *= factor[days]
        elif tokens in self.factor:
            supply = supply * self.factor[tokens][days]
        is_alive = (days >= birth) & (days <= self.last[tokens])
        return np.where(is_alive, supply, np.nan)


@dataclass(frozen=True)
class _Reader:
    """Slices of the panel from the scratch file, without any memory of them."""

    blocks: DayBlocks
    supplies: _Supplies
    day_count: int

    def token(self, index: int) -> Slice:
        return _slice(self.blocks.token(index), self.supplies.of(np.arange(self.day_count), index))

    def day(self, day: int) -> Slice:
        return _slice(self.blocks.day(day), self.supplies.of(day, slice(None)))


def _slice(stored: Floats, supply: Floats) -> Slice:
    values = dict(zip(_STORED, stored, strict=True))
    values |= {"supply": supply, "cap": values["close"] * supply}
    for array in values.values():
        array.setflags(write=False)
    return Slice(**{item.name: values[item.name] for item in fields(Slice)})


class CandleNoise:
    """Chance of the candles, drawn some days at a time: paths within the day, their ranges, and turnover.

    Four subjects share one stream one after the other, each for the whole market. So that they can be drawn side by
    side, the stream is run through once and its state kept where each of them begins.
    """

    def __init__(self, settings: SimulationSettings, count: int) -> None:
        """Find the four places in the stream; takes three passes over it."""
        self._count = count
        random = settings.random(Stream.CANDLES)
        self._sources: list[np.random.Generator] = []
        for _subject in range(4):
            source = settings.random(Stream.CANDLES)
            source.bit_generator.state = random.bit_generator.state
            self._sources.append(source)
            if len(self._sources) < 4:
                for _day in range(settings.day_count):
                    random.standard_normal(count)

    def take(self, days: int) -> Floats:
        """Standard normal draws of the next days: path, above, below, turnover; shape (4, days, tokens)."""
        return np.stack([source.standard_normal((days, self._count)) for source in self._sources])


def make_panel(
    settings: SimulationSettings,
    tokens: list[Token],
    lifetimes: Lifetimes,
    blocks: Iterable[tuple[ReturnBlock, Floats]],
    supply_factor: Mapping[int, Floats],
) -> Panel:
    """Compound the returns of every token from its birth on.

    Args:
        settings: Of the market.
        tokens: In the order of the columns.
        lifetimes: In the same order.
        blocks: Returns of all days in order, each with the candles' noise of shape (4, days, tokens).
        supply_factor: What multiplies the supply of some tokens besides its growth, by token, shape (days,).
    """
    count = len(tokens)
    opening_price = np.array([token.opening_price_usd for token in tokens])
    supplies = _Supplies(
        opening=np.array([token.opening_cap_usd for token in tokens]) / opening_price,
        growth=np.array([token.supply_growth for token in tokens]),
        largest=np.array([token.max_supply_tokens or np.inf for token in tokens]),
        birth=lifetimes.birth,
        last=lifetimes.last,
        factor=supply_factor,
    )
    turnover = np.array([token.turnover for token in tokens])
    is_pegged = np.array([token.pegged_to is not None for token in tokens])
    stored = DayBlocks(days=settings.day_count, fields=len(_STORED), tokens=count)
    travelled = np.zeros(count)  # log return since the market's start
    travelled_at_birth = np.zeros(count)
    lowest, highest = np.full(count, np.nan), np.full(count, np.nan)
    for block, noise in blocks:
        since_birth = np.empty_like(block.log_returns)
        for row, day in enumerate(block.days):
            travelled = travelled + block.log_returns[row]
            travelled_at_birth = np.where(lifetimes.birth == day, travelled, travelled_at_birth)
            since_birth[row] = travelled - travelled_at_birth
        close = opening_price * np.exp(since_birth)
        open_ = close * np.exp(-block.log_returns)
        # Within the day the price swings by at most half of |bridge| daily deviations around the line from open to
        # close (`served.py`); the range holds that and a little more.
        bridge, above, below, turnover_noise = noise
        above = 0.5 * np.maximum(bridge, 0.0) + 0.25 * np.abs(above)
        below = 0.5 * np.maximum(-bridge, 0.0) + 0.25 * np.abs(below)
        high = np.maximum(open_, close) * np.exp(block.total_volatility * above)
        low = np.minimum(open_, close) * np.exp(-block.total_volatility * below)
        supply = np.stack([supplies.of(day, slice(None)) for day in block.days])
        volume = close * supply * turnover * block.volume_multiplier * _liveliness(block, is_pegged, turnover_noise)
        prices = np.stack([open_, high, low, close, volume])
        prices[:, np.isnan(supply)] = np.nan
        stored.append(np.concatenate([prices, [bridge, block.total_volatility]]))
        lowest, highest = np.fmin(lowest, np.fmin.reduce(prices[2])), np.fmax(highest, np.fmax.reduce(prices[1]))
    return Panel(
        _Reader(stored, supplies, settings.day_count),
        first_epoch_day=settings.start.toordinal() - _EPOCH_ORDINAL,
        usdt_index=[token.coin_id for token in tokens].index("tether"),
        lowest=lowest,
        highest=highest,
    )


def _liveliness(block: ReturnBlock, is_pegged: NDArray[np.bool_], noise: Floats) -> Floats:
    """What multiplies the usual turnover: more on days of large moves, whatever their sign."""
    swing = np.minimum(np.abs(block.log_returns) / block.total_volatility, 6.0)
    swing[:, is_pegged] = 1.0
    return np.exp(0.25 * (swing - 0.8) + 0.3 * noise)
