"""Which exchange lists which token under which ticker, from when to when.

Drawn by address (`draws.py`) from the market's seed; Binance keeps the listings and shares of `served.py`. Tokens whose
identity changes (`migrations.py`) do so on the same days everywhere.

Belongs here: venues and listings. Does not: prices (`exchange_markets.py`), perpetuals (`exchange_perpetuals.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.migrations import TickerUse
from orchestration.sandbox.served import ServedMarket

Floats = NDArray[np.float64]

_EVERYWHERE: Final = frozenset({"bitcoin", "ethereum", "usd-coin"})
_NOWHERE: Final = frozenset({"moored-ether"})
_SHORTEST_LISTING_DAYS = 30
# What is drawn; each has its own stream, see `exchange_markets.py` for the numbers after 6. Binance is venue 0.
_LISTED, _DELAY, _LATE, _DELISTED, _DELISTING_DAY, _SHARE = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, kw_only=True)
class Venue:
    """One exchange.

    Attributes:
        name: As in `routes_<name>.py`.
        number: Its key in the draws.
        quote: What it quotes in, USDT or USD.
        listed_largest: Chance that the largest token is listed.
        listed_smallest: Chance that the smallest is; below 0 the chance ends before the smallest.
        delay_days: Longest time from a token's birth to its listing.
        share: Typical part of a token's volume that trades here.
        delisted_share: Part of the listings that end while the token lives on.
    """

    name: str
    number: int
    quote: Literal["USDT", "USD"]
    listed_largest: float
    listed_smallest: float
    delay_days: int
    share: float
    delisted_share: float


def _venue(name: str, number: int, quote: Literal["USDT", "USD"], *rest: float) -> Venue:
    largest, smallest, delay, share, delisted = rest
    return Venue(
        name=name,
        number=number,
        quote=quote,
        listed_largest=largest,
        listed_smallest=smallest,
        delay_days=int(delay),
        share=share,
        delisted_share=delisted,
    )


#                                                  chance listed   delay  share  delisted
BINANCE: Final = _venue("binance", 0, "USDT", 0.97, 0.35, 60, 0.19, 0.0)  # listings and shares of `served.py`
OKX: Final = _venue("okx", 1, "USDT", 0.88, 0.22, 60, 0.10, 0.06)
COINBASE_EXCHANGE: Final = _venue("coinbase", 2, "USD", 0.75, 0.08, 180, 0.07, 0.04)
KUCOIN: Final = _venue("kucoin", 3, "USDT", 0.93, 0.55, 30, 0.05, 0.09)
GATE: Final = _venue("gate", 4, "USDT", 0.97, 0.80, 10, 0.06, 0.08)
KRAKEN: Final = _venue("kraken", 5, "USD", 0.75, 0.05, 120, 0.03, 0.04)
BITSTAMP: Final = _venue("bitstamp", 6, "USD", 0.55, -0.25, 240, 0.01, 0.03)
VENUES: Final = (BINANCE, OKX, COINBASE_EXCHANGE, KUCOIN, GATE, KRAKEN, BITSTAMP)


@dataclass(frozen=True)
class Listing:
    """One token on one exchange, against the exchange's quote.

    Attributes:
        index: Number of the token.
        base: Ticker, upper case.
        first_day: First day with a candle.
        last_day: Last one; the token's own last day unless it was delisted.
        is_delisted: Whether the exchange drops it while it lives on.
        share: Part of the token's volume that trades here.
        decimals: Digits after the point of its prices.
        earlier: Another token that had the ticker before and ended; its candles come before these.
    """

    index: int
    base: str
    first_day: int
    last_day: int
    is_delisted: bool
    share: float
    decimals: int
    earlier: Listing | None = None


def list_tokens(served: ServedMarket, venue: Venue) -> list[Listing]:
    """Every listing of an exchange ever, the largest token first; one at a time for a ticker."""
    last_by_base: dict[str, Listing] = {}
    found = []
    for listing in _on_binance(served) if venue is BINANCE else _drawn(served, venue):
        earlier = last_by_base.get(listing.base)
        # Of two tokens that share a ticker the larger is listed; who takes a ticker over waits until it is free.
        if earlier is None or earlier.last_day < listing.first_day:
            last_by_base[listing.base] = replace(listing, earlier=earlier)
            found.append(last_by_base[listing.base])
    return found


def _drawn(served: ServedMarket, venue: Venue) -> Iterator[Listing]:
    """Large tokens are nearly everywhere, small ones on the exchanges that list everything."""
    market, seed = served.market, served.market.settings.seed
    members, lifetimes, count = market.members, market.lifetimes, len(market.members)
    everyone = np.arange(count)
    place = np.argsort(np.argsort([-token.opening_cap_usd for token in members], kind="stable"), kind="stable")
    # Tokens that change their name or end in another one; every exchange follows Binance's days with them.
    with_story = {use.index for use in market.identities.ticker_uses}

    def draw(what: int) -> Floats:
        return uniform(seed, what, venue.number, everyone)

    chance = venue.listed_largest + (venue.listed_smallest - venue.listed_largest) * place / count
    is_listed = draw(_LISTED) < chance
    delay = (draw(_DELAY) * venue.delay_days).astype(np.int64)
    # Of the tokens that were there from the start, the smaller ones came to the exchange over its first 600 days.
    is_late = (lifetimes.birth == 0) & (place > 0.3 * count) & (draw(_LATE) < 0.35)
    late = 20 + (draw(_DELAY) * 580).astype(np.int64)
    first = np.where(lifetimes.birth > 0, lifetimes.birth + delay, np.where(is_late, late, 0))
    last = lifetimes.last
    free = last - first - 2 * _SHORTEST_LISTING_DAYS
    end = first + _SHORTEST_LISTING_DAYS + (draw(_DELISTING_DAY) * np.maximum(free, 0)).astype(np.int64)
    can_leave = np.array([not token.is_protected and token.pegged_to is None for token in members])
    is_delisted = (draw(_DELISTED) < venue.delisted_share) & can_leave & (free > 0)
    share = np.clip(venue.share * np.exp(0.5 * normal(seed, _SHARE, venue.number, everyone)), 0.001, 0.3)
    for index in np.argsort(place).tolist():
        token = members[index]
        is_quote = token.coin_id == "tether" and venue.quote == "USDT"
        if token.is_fake_cap or token.coin_id in _NOWHERE or is_quote:
            continue
        is_major = token.coin_id in _EVERYWHERE or token.coin_id == "tether"
        listing = Listing(
            index=index,
            base=token.symbol,
            first_day=int(first[index]),
            last_day=int(end[index] if is_delisted[index] else last[index]),
            is_delisted=bool(is_delisted[index]),
            share=float(share[index]),
            decimals=_decimals(token.opening_price_usd),
        )
        if index in with_story:
            if is_listed[index]:
                yield from _in_use(listing, market.identities.ticker_uses)
        elif is_major or (is_listed[index] and first[index] + _SHORTEST_LISTING_DAYS <= last[index]):
            yield listing


def _on_binance(served: ServedMarket) -> Iterator[Listing]:
    members, lifetimes = served.market.members, served.market.lifetimes
    for use in served.market.ticker_uses:
        listing = Listing(
            index=use.index,
            base=use.symbol,
            first_day=use.first_day,
            last_day=int(lifetimes.last[use.index]),
            is_delisted=False,
            share=served.venue_share(use.index),
            decimals=max(8, _decimals(members[use.index].opening_price_usd)),
        )
        yield from _in_use(listing, [use])


def _in_use(listing: Listing, uses: list[TickerUse]) -> Iterator[Listing]:
    """A token's listings under its tickers, in the order of days."""
    for use in sorted(uses, key=lambda each: each.first_day):
        if use.index == listing.index:
            last_day = listing.last_day if use.last_day is None else use.last_day
            yield replace(listing, base=use.symbol, first_day=use.first_day, last_day=last_day, is_delisted=False)


def _decimals(opening_price: float) -> int:
    """Digits after the point: eleven significant ones at the first price, so that a fall by 99.999 % leaves six."""
    return min(max(2, 10 - math.floor(math.log10(opening_price))), 16)
