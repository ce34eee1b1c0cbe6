"""Bitstamp v2: markets, tickers, candles and books; quotes in USD, the longest history for bitcoin.

Names are lower case (`btcusd`), numbers texts, candles objects, oldest first, at most 1,000.

Belongs here: the wire format of www.bitstamp.net. Does not: which candles exist (`exchange_markets.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import BITSTAMP, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, Quotation
from orchestration.sandbox.exchange_wire import (
    SECONDS_A_DAY,
    BadParameterError,
    amount_text,
    json_answer,
    level_texts,
    opens_of,
    price_text,
    whole_number,
)
from orchestration.sandbox.limits import RequestLimit
from orchestration.sandbox.served import ServedMarket

HOSTS = ("www.bitstamp.net",)
BLOCKED_STATUS = 403
LIMITS = (RequestLimit(400, 1.0), RequestLimit(10_000, 600.0))
"""400 a second and 10,000 in ten minutes [K]; ccxt keeps to 75 ms."""

_LARGEST_PAGE = 1000


def error_body(status: int) -> dict[str, Any]:
    """What Bitstamp says under an HTTP status."""
    if status == 429:
        return {"status": "error", "reason": "Request rate limit exceeded.", "response_code": "429.001"}
    if status == BLOCKED_STATUS:
        return {"status": "error", "reason": "Access denied from your location.", "response_code": "403.002"}
    return {"status": "error", "reason": "Internal server error.", "response_code": "500.001"}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    bitstamp = _Bitstamp(served)
    return [
        Route("/api/v2/markets/", bitstamp.markets),
        Route("/api/v2/ticker/", bitstamp.tickers),
        Route("/api/v2/ticker/{pair}/", bitstamp.ticker),
        Route("/api/v2/ohlc/{pair}/", bitstamp.ohlc),
        Route("/api/v2/order_book/{pair}/", bitstamp.book),
    ]


class _Bitstamp:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, BITSTAMP)

    async def markets(self, request: Request) -> Response:
        members = self._served.members
        return json_answer([self._market_row(each, members[each.index].name) for each in self._markets.visible()])

    async def tickers(self, request: Request) -> Response:
        listings = self._markets.trading()
        quotations = self._markets.quotations(listings)
        pairs = zip(listings, quotations, strict=True)
        return json_answer(
            [{**self._ticker_row(listing, quoted), "pair": f"{listing.base}/USD"} for listing, quoted in pairs]
        )

    async def ticker(self, request: Request) -> Response:
        listing = self._find(request)
        if listing is None or not self._markets.is_trading(listing):
            return _unknown_pair()
        return json_answer(self._ticker_row(listing, self._markets.quotations([listing])[0]))

    async def ohlc(self, request: Request) -> Response:
        listing, params = self._find(request), request.query_params
        if listing is None:
            return _unknown_pair()
        if params.get("step") != str(SECONDS_A_DAY):
            return _refused("step", "Step must be one of the documented values.")
        try:
            limit, start, end = (whole_number(params, name) for name in ("limit", "start", "end"))
        except BadParameterError as error:
            return _refused(error.name, "Enter a whole number.")
        if limit is None or not 1 <= limit <= _LARGEST_PAGE:
            return _refused("limit", "Ensure this value is between 1 and 1000.")
        days, rows = self._markets.candles(listing)
        opens = opens_of(self._markets, days) // 1000
        chosen = np.flatnonzero((opens >= (start or 0)) & ((opens <= end) if end is not None else True))
        chosen = chosen[:limit] if start is not None else chosen[-limit:]
        bars = [self._bar(listing, int(opens[i]), rows[i].tolist()) for i in chosen]
        return json_answer({"data": {"pair": f"{listing.base}/USD", "ohlc": bars}})

    def _bar(self, listing: Listing, opened: int, row: list[float]) -> dict[str, str]:
        prices = dict(zip(("open", "high", "low", "close"), row[:4], strict=True))
        texts = {name: price_text(listing, price) for name, price in prices.items()}
        return {"timestamp": str(opened), **texts, "volume": amount_text(row[4])}

    async def book(self, request: Request) -> Response:
        listing = self._find(request)
        if listing is None or not self._markets.is_trading(listing):
            return _unknown_pair()
        book, now = order_book(self._markets, listing), self._served.clock.milliseconds
        return json_answer(
            {
                "timestamp": str(now // 1000),
                "microtimestamp": str(now * 1000),
                "bids": level_texts(listing, book.bids),
                "asks": level_texts(listing, book.asks),
            }
        )

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, request: Request) -> Listing | None:
        pair = request.path_params["pair"]
        if not pair.endswith("usd"):
            return None
        return self._markets.find(pair.removesuffix("usd").upper())

    def _market_row(self, listing: Listing, name: str) -> dict[str, Any]:
        is_enabled = "Enabled" if self._markets.is_trading(listing) else "Disabled"
        return {
            "name": f"{listing.base}/USD",
            "market_symbol": f"{listing.base.lower()}usd",
            "base_currency": listing.base,
            "base_decimals": 8,
            "counter_currency": "USD",
            "counter_decimals": listing.decimals,
            "minimum_order_value": "10",
            "trading": is_enabled,
            "instant_order_counter_decimals": 2,
            "instant_and_market_orders": is_enabled,
            "description": f"{name} / U.S. dollar",
            "market_type": "SPOT",
        }

    def _ticker_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        prices = {
            "high": quoted.high,
            "last": quoted.last,
            "bid": bid,
            "vwap": (quoted.last + quoted.opened) / 2.0,
            "low": quoted.low,
            "ask": ask,
            "open": quoted.opened,
            "open_24": quoted.opened,
        }
        return {
            "timestamp": str(self._served.clock.milliseconds // 1000),
            **{name: price_text(listing, price) for name, price in prices.items()},
            "volume": amount_text(quoted.base_volume),
            "percent_change_24": f"{100.0 * (quoted.last / quoted.opened - 1.0):.2f}",
            "side": "0",
        }


def _unknown_pair() -> Response:
    return json_answer({"status": "error", "reason": "Invalid currency pair.", "response_code": "404.002"}, 404)


def _refused(name: str, message: str) -> Response:
    return json_answer({"status": "error", "reason": {name: [message]}, "response_code": "400.000"}, 400)
