"""Quotes of a venue now: all tickers in one request, and order books of single markets.

Belongs here: their rows. Does not: whose order book is read (`orchestration/lib/loads/exchange_plan.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orchestration.sources.errors import AccessRestrictedError, RateLimitedError, SourceError, UnexpectedBodyError
from orchestration.sources.exchanges.client import VenueClient
from orchestration.sources.exchanges.errors import NotAskedError
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_positive,
    read_unix,
    refuse_future,
    validate,
)

DEPTH_RANGE: Final = 0.02
OTHERS: Final = "(others)"
"""Stands in the failures for the markets that were not asked any more."""


@dataclass(frozen=True, slots=True)
class BooksOfMarkets:
    """Order books of several markets: rows of `<venue>/order_books`, and why markets have none."""

    fetched: Fetched
    failures: Mapping[str, SourceError]


async def fetch_tickers(client: VenueClient, markets: Sequence[Market], *, now: datetime) -> Fetched:
    """Fetch the rolling 24 hours of all markets in one request.

    Raises:
        SourceError: See `errors.py`.
    """
    spare_bad_tickers(client.client)
    return await client.ask(
        lambda ccxt: ccxt.fetch_tickers(),
        lambda tickers: parse_tickers(tickers, venue=client.venue.name, markets=markets, now=now),
        what="all tickers",
        cost=client.venue.tickers_cost,
    )


async def fetch_order_books(client: VenueClient, markets: Sequence[Market], *, now: datetime) -> BooksOfMarkets:
    """Fetch the order books of some markets, several at a time; one that fails does not spoil the others.

    Raises:
        AccessRestrictedError: The venue refuses this place.
        RateLimitedError: It asks for fewer requests than our patience gives, or has shut us out.
        SourceError: Not one book could be read; the first error met.
    """

    async def one(market: Market) -> dict[str, Any] | Rejected:
        return await client.ask(
            lambda ccxt: ccxt.fetch_order_book(market.market_id, client.venue.book_levels),
            lambda book: _read_or_refuse(book, market=market, now=now),
            what=f"order book of {market.market_id}",
            cost=client.venue.book_cost,
        )

    answers = await asyncio.gather(*(one(market) for market in markets), return_exceptions=True)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    failures: dict[str, SourceError] = {}
    for market, answer in zip(markets, answers, strict=True):
        if isinstance(answer, dict):
            rows.append(answer)
        elif isinstance(answer, Rejected):
            rejected.append(answer)
        elif isinstance(answer, (AccessRestrictedError, RateLimitedError)) or not isinstance(answer, SourceError):
            raise answer
        else:
            failures.setdefault(OTHERS if isinstance(answer, NotAskedError) else market.market_id, answer)
    if failures and not rows and not rejected:
        raise next(iter(failures.values()))
    dataset = VENUES[client.venue.name].dataset("order_books")
    return BooksOfMarkets(validate(dataset, rows, now=now, rejected=rejected), failures)


def spare_bad_tickers(ccxt: Any) -> None:
    """Let ccxt go on where it stumbles over one ticker; it would give none of them otherwise."""
    for name in ("parse_ticker", "parse_spot_or_uta_ticker"):
        parse = getattr(ccxt, name, None)
        if parse is not None and not getattr(parse, "spares", False):
            setattr(ccxt, name, _sparing(parse))


def _sparing(parse: Callable[..., Any]) -> Callable[..., Any]:
    def parse_or_skip(ticker: Any, market: Any = None) -> Any:
        try:
            return parse(ticker, market)
        except Exception:  # whatever ccxt's arithmetic makes of a value; the market is then without a readable ticker
            return {"symbol": None, "info": ticker}

    parse_or_skip.spares = True  # type: ignore[attr-defined]
    return parse_or_skip


def parse_tickers(tickers: Any, *, venue: str, markets: Sequence[Market], now: datetime) -> Fetched:
    """Turn ccxt's tickers of the given markets into rows of the last finished day; other markets are left out.

    Raises:
        UnexpectedBodyError: They are no table, or an empty one.
    """
    if not isinstance(tickers, Mapping) or not tickers:
        raise UnexpectedBodyError(
            f"the table of tickers is empty or a {type(tickers).__name__}; an HTML page or a cut-off body"
        )
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for market in markets:
        record = tickers.get(market.market_id)
        if record is None or record.get("symbol", market.market_id) is None:
            if market.is_active:  # ccxt drops records that it cannot read
                rejected.append(Rejected.of("active market has no readable ticker", {"market_id": market.market_id}))
            continue
        try:
            rows.append(_read_ticker(record, market=market, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
    return validate(VENUES[venue].dataset("tickers"), rows, now=now, rejected=rejected)


def _read_ticker(record: Mapping[str, Any], *, market: Market, now: datetime) -> dict[str, Any]:
    return {
        "market_id": market.market_id,
        "symbol": market.symbol,
        "quote": market.quote,
        "market_date": last_finished_day(now),
        "observed_at": _observed_at(record, now=now),
        "last_quote": read_number(record.get("last"), column="last", text_allowed=True),
        "bid_quote": read_positive(record.get("bid"), column="bid", text_allowed=True),
        "ask_quote": read_positive(record.get("ask"), column="ask", text_allowed=True),
        "volume_base": read_number(record.get("baseVolume"), column="baseVolume", text_allowed=True),
        "volume_quote": read_number(record.get("quoteVolume"), column="quoteVolume", text_allowed=True),
    }


def _observed_at(record: Mapping[str, Any], *, now: datetime) -> datetime:
    """When the venue last updated the quote; kraken, gate and coinbase do not say, which is then the instant of asking."""
    if record.get("timestamp") is None:
        return now
    observed_at = read_unix(record["timestamp"], column="timestamp", per_second=1000, text_allowed=True)
    refuse_future(observed_at, now=now, column="timestamp")
    return observed_at


def _read_or_refuse(book: Any, *, market: Market, now: datetime) -> dict[str, Any] | Rejected:
    try:
        return read_order_book(book, market=market, now=now)
    except UnreadableValueError as error:
        shown = {"market_id": market.market_id, "bids": book.get("bids", [])[:3], "asks": book.get("asks", [])[:3]}
        return Rejected.of(str(error), shown)


def read_order_book(book: Any, *, market: Market, now: datetime) -> dict[str, Any]:
    """Turn one order book as ccxt gives it into a row: spread, and what rests within 2 % of the middle on either side.

    Args:
        book: Bids from the highest and asks from the lowest price on, each a pair of price and amount.
        market: Whose book it is.
        now: Instant of the request.

    Raises:
        UnreadableValueError: A side is empty or holds what is no price.
        UnexpectedBodyError: Both sides are empty: what ccxt makes of HTML or cut-off JSON under 200.
    """
    if not isinstance(book, Mapping) or not (book.get("bids") or book.get("asks")):
        raise UnexpectedBodyError("the order book is empty; an HTML page or a cut-off body")
    bids, asks = _levels(book["bids"], side="bids"), _levels(book["asks"], side="asks")
    middle = float(bids[0, 0] + asks[0, 0]) / 2.0
    low, high = middle * (1.0 - DEPTH_RANGE), middle * (1.0 + DEPTH_RANGE)
    return {
        "market_id": market.market_id,
        "symbol": market.symbol,
        "quote": market.quote,
        "market_date": last_finished_day(now),
        "observed_at": _observed_at(book, now=now),
        "mid_quote": middle,
        "spread": float(asks[0, 0] - bids[0, 0]) / middle,
        "bid_depth_2pct_quote": float(bids[bids[:, 0] >= low].prod(axis=1).sum()),
        "ask_depth_2pct_quote": float(asks[asks[:, 0] <= high].prod(axis=1).sum()),
        "is_depth_complete": bool(bids[-1, 0] <= low and asks[-1, 0] >= high),
    }


def _levels(levels: Any, *, side: str) -> NDArray[np.float64]:
    """Prices and amounts, one row a level, best first."""
    try:
        read = np.array([(level[0], level[1]) for level in levels], dtype=np.float64)
    except (TypeError, ValueError, LookupError):
        raise UnreadableValueError(f"{side} are no pairs of price and amount") from None
    if not len(read):
        raise UnreadableValueError(f"the book has no {side}")
    if not np.isfinite(read).all() or (read[:, 0] <= 0.0).any() or (read[:, 1] < 0.0).any():
        raise UnreadableValueError(f"{side} hold a level without a price above zero and an amount")
    return read
