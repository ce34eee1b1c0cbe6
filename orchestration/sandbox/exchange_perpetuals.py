"""Perpetual contracts of the simulated exchanges: which there are, their funding and their open interest.

Funding follows the momentum of the days that are over, with noise: traders who chased a rise pay for it. Open interest
follows market cap and momentum. Neither depends on a price that is not yet known, so in the null market, where the past
says nothing, they say nothing either: over 24 seeds of it the mean rank IC with the next 14 days is 0.003 for funding
and 0.001 for the change of open interest, each with a standard error of 0.004.

Belongs here: contracts, rates, open interest in USD. Does not: units and wire formats (`routes_*.py`), spot markets
(`exchange_markets.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.exchange_listings import BINANCE, GATE, KUCOIN, OKX, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MILLISECONDS_AN_HOUR: Final = 3_600_000
_MOMENTUM_DAYS = 7
_VOLATILITY_DAYS = 30
_BASE_RATE = 1e-4  # what longs pay every 8 hours when nothing happens: 0.01 %, as on the real exchanges
_LARGEST_RATE = 0.0075
_LAUNCHED, _LAUNCH_DELAY, _INTERVAL, _RATE, _LEVEL, _OPEN_INTEREST = 31, 32, 33, 34, 35, 36

# Chance that a listing of the largest and of the smallest token has a perpetual; part of all open interest.
_CHANCES: Final[Mapping[str, tuple[float, float, float]]] = {
    BINANCE.name: (0.95, 0.25, 0.45),
    OKX.name: (0.85, 0.10, 0.25),
    GATE.name: (0.90, 0.35, 0.18),
    KUCOIN.name: (0.85, 0.25, 0.12),
}


@dataclass(frozen=True)
class Perpetual:
    """One perpetual contract, linear and settled in USDT.

    Attributes:
        listing: The spot market under it.
        first_day: First day with funding.
        interval_hours: Hours between payments: 8, or 4 (one contract in five), or 1 (one in twenty).
        contract_size: Tokens a contract stands for, a power of ten worth about 10 to 100 USD at the token's start.
    """

    listing: Listing
    first_day: int
    interval_hours: int
    contract_size: float


class Perpetuals:
    """The perpetuals of one exchange as of the served market's clock."""

    def __init__(self, markets: ExchangeMarkets) -> None:
        """Look at one exchange."""
        self.markets = markets
        self._served = markets.served
        self._seed, self._number = markets.seed, markets.venue.number

    @cached_property
    def contracts(self) -> list[Perpetual]:
        """Every contract ever, that of the largest token first."""
        members = self._served.market.members
        largest, smallest, _ = _CHANCES[self.markets.venue.name]
        listings = [
            listing
            for listing in self.markets.listings
            if not (members[listing.index].is_stable or members[listing.index].is_wrapped)
        ]
        found = []
        for place, listing in enumerate(listings):
            index, is_major = listing.index, members[listing.index].coin_id in {"bitcoin", "ethereum"}
            chance = largest + (smallest - largest) * place / len(listings)
            first = listing.first_day + int(self._draw(_LAUNCH_DELAY, index) * (1 if is_major else 120))
            if (self._draw(_LAUNCHED, index) < chance or is_major) and first + 30 <= listing.last_day:
                draw = 1.0 if is_major else self._draw(_INTERVAL, index)
                price = members[index].opening_price_usd
                found.append(
                    Perpetual(
                        listing=listing,
                        first_day=first,
                        interval_hours=1 if draw < 0.05 else 4 if draw < 0.25 else 8,
                        contract_size=10.0 ** (1 - math.floor(math.log10(price))),
                    )
                )
        return found

    @cached_property
    def _by_base(self) -> dict[str, list[Perpetual]]:
        grouped: dict[str, list[Perpetual]] = {}
        for contract in self.contracts:
            grouped.setdefault(contract.listing.base, []).append(contract)
        return grouped

    def find(self, base: str) -> Perpetual | None:
        """The contract on the token that goes, or last went, by a ticker by now; None where there is none."""
        today = self._served.today()
        return next((each for each in reversed(self._by_base.get(base, [])) if each.first_day <= today), None)

    def visible(self) -> list[Perpetual]:
        """One contract for each ticker, those that ended included."""
        found = (self.find(base) for base in self._by_base)
        return [contract for contract in found if contract is not None]

    def is_trading(self, contract: Perpetual) -> bool:
        """Whether it trades now."""
        return contract.first_day <= self._served.today() <= contract.listing.last_day

    def trading(self) -> list[Perpetual]:
        """Contracts that trade now."""
        return [contract for contract in self.contracts if self.is_trading(contract)]

    # -- funding ---------------------------------------------------------------------------------------------------

    def funding_times(self, contract: Perpetual) -> Integers:
        """Instants of all payments so far, milliseconds, oldest first."""
        first = int(self._served.milliseconds_at(contract.first_day)) + contract.interval_hours * MILLISECONDS_AN_HOUR
        last = int(self._served.milliseconds_at(contract.listing.last_day + 1))
        stop = min(self._served.clock.milliseconds, last)
        return np.arange(first, stop + 1, contract.interval_hours * MILLISECONDS_AN_HOUR, dtype=np.int64)

    def next_funding_time(self, contract: Perpetual) -> int:
        """Instant of the payment that comes next, milliseconds."""
        step = contract.interval_hours * MILLISECONDS_AN_HOUR
        return (self._served.clock.milliseconds // step + 1) * step

    def funding_rates(self, contract: Perpetual, times: Integers) -> Floats:
        """Rates paid at some instants, as a fraction of the position, for the contract's own interval.

        An 8-hour rate is 0.01 % plus 0.04 % times tanh(momentum / 2) plus noise of 0.01 %, at most 0.75 % either way.
        Of a payment to come it is the estimate from what is known now.
        """
        noise = normal(self._seed, _RATE, self._number, contract.listing.index, times // MILLISECONDS_AN_HOUR)
        known = np.minimum(times, self._served.clock.milliseconds)
        rate = _BASE_RATE + 4e-4 * np.tanh(self._momentum(contract, known) / 2.0) + 1e-4 * noise
        return np.asarray(np.clip(rate, -_LARGEST_RATE, _LARGEST_RATE) * contract.interval_hours / 8.0)

    # -- open interest ---------------------------------------------------------------------------------------------

    def open_interest_usd(self, contract: Perpetual, times: Integers) -> Floats:
        """Value of all open contracts at some instants, USD.

        About 1.5 % of the market cap over all exchanges, of which each has a fixed part; 60 % more or less by token,
        a third more or less by momentum, 5 % by the hour. The cap is that of the last closed day.
        """
        index, (_, _, part) = contract.listing.index, _CHANCES[self.markets.venue.name]
        days = self._closed_day(contract, times)
        _, caps = self.markets.closes_and_caps(contract.listing, days)
        level = 0.5 * normal(self._seed, _LEVEL, self._number, index)
        noise = normal(self._seed, _OPEN_INTEREST, self._number, index, times // MILLISECONDS_AN_HOUR)
        swing = 0.3 * np.tanh(self._momentum(contract, times) / 2.0)
        return np.asarray(0.015 * part * caps * np.exp(level + swing + 0.05 * noise))

    def price_usd(self, contract: Perpetual, times: Integers) -> Floats:
        """Close of the last closed day before some instants, USD; what turns open interest into tokens."""
        return self.markets.closes_and_caps(contract.listing, self._closed_day(contract, times))[0]

    # -- the past --------------------------------------------------------------------------------------------------

    def _closed_day(self, contract: Perpetual, times: Integers) -> Integers:
        """Last day that is over at each instant, and not before the token's first."""
        days = times // MILLISECONDS_A_DAY - int(self._served.milliseconds_at(0)) // MILLISECONDS_A_DAY - 1
        birth = int(self._served.market.lifetimes.birth[contract.listing.index])
        return np.clip(days, birth, contract.listing.last_day)

    def _momentum(self, contract: Perpetual, times: Integers) -> Floats:
        """Log return of the last seven closed days in standard deviations of its own 30 days, 0 without a history."""
        if not times.size:
            return np.empty(0)
        days = self._closed_day(contract, times)
        birth = int(self._served.market.lifetimes.birth[contract.listing.index])
        first = max(int(days.min()) - _VOLATILITY_DAYS - 1, birth)
        closes, _ = self.markets.closes_and_caps(contract.listing, np.arange(first, int(days.max()) + 1))
        returns = np.diff(np.log(closes), prepend=np.log(closes[0]))
        totals, squares = np.cumsum(returns), np.cumsum(returns**2)
        position = days - first
        week, month = np.maximum(position - _MOMENTUM_DAYS, 0), np.maximum(position - _VOLATILITY_DAYS, 0)
        variance = (squares[position] - squares[month]) / np.maximum(position - month, 1)
        deviation = np.sqrt(np.maximum(variance, 1e-8) * _MOMENTUM_DAYS)
        return np.asarray((totals[position] - totals[week]) / deviation)

    def _draw(self, what: int, index: int) -> float:
        return float(uniform(self._seed, what, self._number, index))
