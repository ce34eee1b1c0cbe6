"""Coinbase Exchange: products, sparklines, tickers, candles, books; quotes in USD.

Bare arrays without an envelope. Candles are numbers in the order time, LOW, HIGH, OPEN, CLOSE, volume, newest first; a
range of more than 300 of them is refused. Delisted products stay in the list and keep their candles.

Belongs here: the wire format of api.exchange.coinbase.com. Does not: which candles exist (`exchange_markets.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import COINBASE_EXCHANGE, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, Quotation
from orchestration.sandbox.exchange_wire import (
    SECONDS_A_DAY,
    amount_text,
    iso_text,
    json_answer,
    level_texts,
    opens_of,
    price_text,
    tick_text,
)
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.exchange.coinbase.com",)
BLOCKED_STATUS = 403
LIMITS = (15, 1.0)
"""10 a second, bursts of 15 (sources.md 1.1 has the 10; a client that keeps a pace of 100 ms shows 11 at times)."""

_LARGEST_RANGE = 300
_GRANULARITIES = ("60", "300", "900", "3600", "21600", "86400")


def error_body(status: int) -> dict[str, Any]:
    """What Coinbase says under an HTTP status."""
    if status == 429:
        return {"message": "Public rate limit exceeded"}
    return {"message": "Forbidden" if status == BLOCKED_STATUS else "Internal server error"}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    coinbase = _Coinbase(served)
    return [
        Route("/time", coinbase.time),
        Route("/currencies", coinbase.currencies),
        Route("/products", coinbase.products),
        Route("/products/spark-lines", coinbase.spark_lines),
        Route("/products/{product}/candles", coinbase.candles),
        Route("/products/{product}/book", coinbase.book),
        Route("/products/{product}/ticker", coinbase.ticker),
        Route("/products/{product}/stats", coinbase.stats),
    ]


class _Coinbase:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, COINBASE_EXCHANGE)

    async def time(self, request: Request) -> Response:
        now = self._served.clock.milliseconds
        return json_answer({"iso": iso_text(now), "epoch": now / 1000})

    async def currencies(self, request: Request) -> Response:
        members = self._served.members
        rows = [
            self._currency_row(listing.base, members[listing.index].name, "crypto", self._status(listing))
            for listing in self._markets.visible()
        ]
        return json_answer([*rows, self._currency_row("USD", "United States Dollar", "fiat", "online")])

    async def products(self, request: Request) -> Response:
        return json_answer([self._product_row(listing) for listing in self._markets.visible()])

    async def spark_lines(self, request: Request) -> Response:
        """Two points a product, newest first: now and 24 hours ago; the real list has more in between."""
        listings = self._markets.trading()
        now = self._served.clock.milliseconds // 1000
        lines = {}
        for listing, quoted in zip(listings, self._markets.quotations(listings), strict=True):
            low, high = self._rounded(listing, quoted.low), self._rounded(listing, quoted.high)
            opened, last = self._rounded(listing, quoted.opened), self._rounded(listing, quoted.last)
            newest = [now, low, high, opened, last]
            lines[_product_id(listing)] = [newest, [now - SECONDS_A_DAY, opened, opened, opened, opened]]
        return json_answer(lines)

    async def candles(self, request: Request) -> Response:
        listing, params = self._find(request), request.query_params
        if listing is None:
            return _not_found()
        granularity = params.get("granularity", "60")
        if granularity not in _GRANULARITIES:
            return _refused("Unsupported granularity")
        if granularity != str(SECONDS_A_DAY):
            return json_answer([])  # the simulated market has days only
        days, rows = self._markets.candles(listing)
        opens = opens_of(self._markets, days) // 1000
        if "start" in params and "end" in params:  # one without the other is ignored, as the exchange documents it
            try:
                start, end = _seconds(params["start"]), _seconds(params["end"])
            except ValueError:
                return _refused("Invalid start or end")
            if (end - start) // SECONDS_A_DAY > _LARGEST_RANGE:
                return _refused(
                    "granularity too small for the requested time range. Count of aggregations requested exceeds 300"
                )
            chosen = np.flatnonzero((opens >= start) & (opens <= end))[::-1]
        else:
            chosen = np.arange(len(days))[::-1][:_LARGEST_RANGE]
        return json_answer(
            [
                [int(opens[i]), *(self._rounded(listing, rows[i, k]) for k in (2, 1, 0, 3)), float(rows[i, 4])]
                for i in chosen
            ]
        )

    async def book(self, request: Request) -> Response:
        listing = self._find(request)
        if listing is None or not self._markets.is_trading(listing):
            return _not_found()
        book = order_book(self._markets, listing)
        count = 1 if request.query_params.get("level", "1") == "1" else None
        now = self._served.clock.milliseconds
        sides = {
            name: [[*texts, 2] for texts in level_texts(listing, levels[:count])]
            for name, levels in (("bids", book.bids), ("asks", book.asks))
        }
        return json_answer({**sides, "sequence": now, "auction_mode": False, "auction": None, "time": iso_text(now)})

    async def ticker(self, request: Request) -> Response:
        return self._about(request, self._ticker_row)

    async def stats(self, request: Request) -> Response:
        return self._about(request, self._stats_row)

    # -- rows ------------------------------------------------------------------------------------------------------

    def _about(self, request: Request, row: Any) -> Response:
        listing = self._find(request)
        if listing is None or not self._markets.is_trading(listing):
            return _not_found()
        return json_answer(row(listing, self._markets.quotations([listing])[0]))

    def _find(self, request: Request) -> Listing | None:
        base, _, quote = request.path_params["product"].partition("-")
        return self._markets.find(base) if quote == COINBASE_EXCHANGE.quote else None

    def _status(self, listing: Listing) -> str:
        return "online" if self._markets.is_trading(listing) else "delisted"

    def _rounded(self, listing: Listing, price: float) -> float:
        return round(float(price), listing.decimals)

    def _currency_row(self, code: str, name: str, kind: str, status: str) -> dict[str, Any]:
        return {
            "id": code,
            "name": name,
            "min_size": "0.00000001",
            "status": status,
            "message": "",
            "max_precision": "0.00000001",
            "convertible_to": [],
            "details": {"type": kind, "symbol": None, "network_confirmations": 14, "sort_order": 0},
            "default_network": "",
            "supported_networks": [],
            "display_name": code,
        }

    def _product_row(self, listing: Listing) -> dict[str, Any]:
        status = self._status(listing)
        return {
            "id": _product_id(listing),
            "base_currency": listing.base,
            "quote_currency": COINBASE_EXCHANGE.quote,
            "quote_increment": tick_text(listing),
            "base_increment": "0.00000001",
            "display_name": f"{listing.base}/{COINBASE_EXCHANGE.quote}",
            "min_market_funds": "1",
            "margin_enabled": False,
            "post_only": False,
            "limit_only": False,
            "cancel_only": False,
            "status": status,
            "status_message": "",
            "trading_disabled": status != "online",
            "fx_stablecoin": False,
            "max_slippage_percentage": "0.02000000",
            "auction_mode": False,
            "high_bid_limit_percentage": "",
        }

    def _ticker_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        return {
            "ask": price_text(listing, ask),
            "bid": price_text(listing, bid),
            "volume": amount_text(quoted.base_volume),
            "trade_id": 1 + int(quoted.quote_volume / 150.0),
            "price": price_text(listing, quoted.last),
            "size": amount_text(150.0 / quoted.last),
            "time": iso_text(self._served.clock.milliseconds),
        }

    def _stats_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        return {
            "open": price_text(listing, quoted.opened),
            "high": price_text(listing, quoted.high),
            "low": price_text(listing, quoted.low),
            "last": price_text(listing, quoted.last),
            "volume": amount_text(quoted.base_volume),
            "volume_30day": amount_text(30.0 * quoted.base_volume),
        }


def _product_id(listing: Listing) -> str:
    return f"{listing.base}-{COINBASE_EXCHANGE.quote}"


def _seconds(text: str) -> int:
    """An instant in seconds from seconds or ISO-8601."""
    if text.isdigit():
        return int(text)
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000) // 1000


def _not_found() -> Response:
    return json_answer({"message": "NotFound"}, 404)


def _refused(message: str) -> Response:
    return json_answer({"message": message}, 400)
