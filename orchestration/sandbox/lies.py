"""Providers that lie in good form: well-formed answers from a market that never was, for the newest days.

    prices_tenfold      prices, caps and volumes are ten times what they were, as under another unit
    yesterday_as_today  every day shows the day before it
    symbols_swapped     neighbours in the list of tokens have each other's prices, caps and volumes

Belongs here: the market a liar tells of. Does not: whether it lies (`faults.py`), damage to the form of an answer (`damage.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.candles import Panel, Slice
from orchestration.sandbox.faults import FaultKind
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.prices import Floats

LIE_DAYS: Final = 7
"""Closed days before the clock's instant that a liar lies about: those that a weekly run asks for."""

LIES: Final = (FaultKind.PRICES_TENFOLD, FaultKind.YESTERDAY_AS_TODAY, FaultKind.SYMBOLS_SWAPPED)

_PRICES: Final = ("open", "high", "low", "close")
_TENFOLD: Final = (*_PRICES, "cap", "volume")


def lying_market(market: SimulatedMarket, kind: FaultKind, *, today: int) -> SimulatedMarket:
    """The same market with lies about its newest days.

    Args:
        market: The truth.
        kind: One of `LIES`.
        today: Number of the day that is not over; it and the `LIE_DAYS` before it are lied about.
    """
    lying = replace(market, panel=_LyingPanel(market.panel, kind, first_day=today - LIE_DAYS))
    lying.__dict__["defects"] = market.defects  # kept there once they are drawn: honest errors stay where they are
    return lying


class _LyingPanel(Panel):
    """A panel whose days from one on are not the true ones."""

    def __init__(self, truth: Panel, kind: FaultKind, *, first_day: int) -> None:
        """Tell of a true panel; nothing is read before it is asked for."""
        self.__dict__.update(truth.__dict__)
        self._truth, self._first_day = truth, first_day
        if kind is FaultKind.YESTERDAY_AS_TODAY:  # an exchange gives out yesterday's candle in its own quote
            self.usdt_rate = truth.usdt_rate[self._days_told()]
        tokens, days = {
            FaultKind.PRICES_TENFOLD: (self._tenfold_token, self._tenfold_day),
            FaultKind.YESTERDAY_AS_TODAY: (self._late_token, self._late_day),
            FaultKind.SYMBOLS_SWAPPED: (self._swapped_token, self._swapped_day),
        }[kind]
        self._token: Callable[[int], Slice] = tokens  # type: ignore[assignment]  # in the place of a cache
        self._day: Callable[[int], Slice] = days  # type: ignore[assignment]

    def _tenfold_token(self, index: int) -> Slice:
        true = self._truth.token(index)
        factor = np.where(np.arange(self.day_count) >= self._first_day, 10.0, 1.0)
        return replace(true, **{name: getattr(true, name) * factor for name in _TENFOLD})

    def _tenfold_day(self, day: int) -> Slice:
        true = self._truth.day(day)
        return (
            true if day < self._first_day else replace(true, **{name: getattr(true, name) * 10.0 for name in _TENFOLD})
        )

    def _days_told(self) -> NDArray[np.int64]:
        """By day, the day whose data are given out as its own."""
        days = np.arange(self.day_count)
        return np.where(days >= self._first_day, np.maximum(days - 1, 0), days)

    def _late_token(self, index: int) -> Slice:
        return _taken(self._truth.token(index), self._days_told())

    def _late_day(self, day: int) -> Slice:
        return self._truth.day(day - 1 if day >= self._first_day and day > 0 else day)

    def _swapped_token(self, index: int) -> Slice:
        true, other = self._truth.token(index), self._truth.token(self._neighbour(index))
        is_lie = np.arange(self.day_count) >= self._first_day
        return _known_where_alive(
            Slice(
                **{
                    each.name: np.where(is_lie, getattr(other, each.name), getattr(true, each.name))
                    for each in fields(Slice)
                }
            ),
            true,
        )

    def _swapped_day(self, day: int) -> Slice:
        true = self._truth.day(day)
        if day < self._first_day:
            return true
        return _known_where_alive(
            _taken(true, np.array([self._neighbour(index) for index in range(self.token_count)])), true
        )

    def _neighbour(self, index: int) -> int:
        return min(index ^ 1, self.token_count - 1)


def _taken(known: Slice, places: NDArray[np.int64]) -> Slice:
    return Slice(**{each.name: getattr(known, each.name)[places] for each in fields(Slice)})


def _known_where_alive(told: Slice, true: Slice) -> Slice:
    """What is told, and the truth where a neighbour is not alive: a liar serves no holes."""

    def mended(name: str) -> Floats:
        lie, truth = getattr(told, name), getattr(true, name)
        return np.where(np.isnan(told.close) | np.isnan(true.close), truth, lie)

    return Slice(**{each.name: mended(each.name) for each in fields(Slice)})
