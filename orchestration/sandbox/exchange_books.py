"""Order books of the simulated exchanges: spread, depth within 2 % and the levels that add up to it.

Liquidity follows from the turnover of the seven days that are over, with noise; it says nothing about what comes. A
book has as many levels as its depth supports, so a request for the best 100 of a liquid market sees only a part of the
depth within 2 %, as it does on the real exchanges.

Belongs here: the shape of a book. Does not: how many levels an exchange shows, and in which form (`routes_*.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.draws import normal
from orchestration.sandbox.exchange_listings import Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, usual_spread

Floats = NDArray[np.float64]

DEPTH_RANGE = 0.02
_WHOLE_RANGE = 0.05
_SPREAD, _DEPTH, _SIDE, _LEVELS, _HOUR = 21, 22, 23, 24, 25


@dataclass(frozen=True)
class Liquidity:
    """What a book must add up to.

    Attributes:
        mid: Middle of best bid and ask, in the exchange's quote; the last price.
        spread: Best ask minus best bid, fraction of the middle.
        bid_depth: Value of the bids within 2 % of the middle, in the quote.
        ask_depth: Value of the asks within 2 %, in the quote.
        levels: Price levels a side within 2 %.
    """

    mid: float
    spread: float
    bid_depth: float
    ask_depth: float
    levels: int


@dataclass(frozen=True)
class Book:
    """Levels of price and base amount a side, best first, shape (levels, 2)."""

    bids: Floats
    asks: Floats


def liquidity(markets: ExchangeMarkets, listing: Listing) -> Liquidity:
    """Spread and depth of a listing now.

    A market that turns over 100 million USD a day holds 0.5 % of it a side within 2 % [K: an order of magnitude, not a
    fit], smaller ones a little more of theirs. Noise of the day: 25 % on the spread, 35 % on the depth; of the hour: 15 %
    on each side.
    """
    turnover = max(markets.turnover_usd(listing), 1.0)
    now = markets.served.instant()
    day, hour = int(now), int(now * 24)

    def noise(what: int, *keys: int) -> float:
        return float(normal(markets.seed, what, markets.venue.number, listing.index, *keys))

    spread = min(usual_spread(turnover) * math.exp(0.25 * noise(_SPREAD, day)), 0.03)
    depth = 0.005 * turnover * (1e8 / turnover) ** 0.08 * math.exp(0.35 * noise(_DEPTH, day))
    mid = markets.quotations([listing])[0].last
    return Liquidity(
        mid=mid,
        spread=spread,
        bid_depth=depth * math.exp(0.15 * noise(_SIDE, hour, 0)),
        ask_depth=depth * math.exp(0.15 * noise(_SIDE, hour, 1)),
        levels=int(np.clip(40.0 * (turnover / 1e6) ** 0.45, 25, 1500)),
    )


def order_book(markets: ExchangeMarkets, listing: Listing) -> Book:
    """All levels within 5 % of the middle, thicker further out."""
    state = liquidity(markets, listing)
    hour = int(markets.served.instant() * 24)
    half = state.spread / 2.0
    distance = half + (DEPTH_RANGE - half) * np.arange(int(state.levels * _WHOLE_RANGE / DEPTH_RANGE)) / state.levels
    sides = []
    for side, (sign, depth) in enumerate(((-1.0, state.bid_depth), (1.0, state.ask_depth))):
        noise = normal(markets.seed, _LEVELS, markets.venue.number, listing.index, hour, side, np.arange(len(distance)))
        value = (0.3 + distance / DEPTH_RANGE) * np.exp(0.5 * noise)
        value *= depth / value[: state.levels].sum()
        price = np.round(state.mid * (1.0 + sign * distance), listing.decimals)
        sides.append(np.column_stack([price, value / price]))
    return Book(bids=sides[0], asks=sides[1])
