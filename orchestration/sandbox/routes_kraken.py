"""Kraken: assets, pairs, tickers, candles and books; quotes in USD.

Every answer is `{"error": [...], "result": {...}}` under HTTP 200, errors too, the rate limit included. Bitcoin is XBT
(asset XXBT), dogecoin XDG, the dollar ZUSD. Candles reach back 720 bars and no further, whatever `since` says.

Belongs here: the wire format of api.kraken.com. Does not: which candles exist (`exchange_markets.py`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import KRAKEN, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, Quotation
from orchestration.sandbox.exchange_wire import (
    BadParameterError,
    amount_text,
    json_answer,
    level_texts,
    opens_of,
    price_text,
    tick_text,
    whole_number,
)
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.kraken.com",)
BLOCKED_STATUS = 403
LIMITED_STATUS = 200
LIMITS = (18, 15.0)
"""About one a second (sources.md 1.1), with a little room for bursts."""

_ALTERNATIVE_NAMES: Final = {"BTC": "XBT", "DOGE": "XDG"}
_PREFIXED: Final = frozenset({"XBT", "ETH", "XDG", "LTC", "XRP", "XLM", "XMR", "ETC", "ZEC"})
"""Assets of the early years, which carry an X before their name; their pairs with the dollar are XXBTZUSD."""

_BARS = 720
_BOOK, _DEFAULT_BOOK = 500, 100
_DAILY_MINUTES = "1440"


def error_body(status: int) -> dict[str, Any]:
    """What Kraken says, whatever the HTTP status."""
    said = {429: "EAPI:Rate limit exceeded", BLOCKED_STATUS: "EGeneral:Permission denied"}
    return {"error": [said.get(status, "EService:Unavailable")]}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    kraken = _Kraken(served)
    return [
        Route("/0/public/Time", kraken.time),
        Route("/0/public/SystemStatus", kraken.system_status),
        Route("/0/public/Assets", kraken.assets),
        Route("/0/public/AssetPairs", kraken.asset_pairs),
        Route("/0/public/Ticker", kraken.ticker),
        Route("/0/public/OHLC", kraken.ohlc),
        Route("/0/public/Depth", kraken.depth),
    ]


class _Kraken:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, KRAKEN)

    async def time(self, request: Request) -> Response:
        seconds = self._served.clock.milliseconds // 1000
        return _answer({"unixtime": seconds, "rfc1123": f"{self._served.clock.now:%a, %d %b %y %H:%M:%S} +0000"})

    async def system_status(self, request: Request) -> Response:
        return _answer({"status": "online", "timestamp": f"{self._served.clock.now:%Y-%m-%dT%H:%M:%SZ}"})

    async def assets(self, request: Request) -> Response:
        rows = {_asset(listing.base): _asset_row(_alternative(listing.base)) for listing in self._markets.trading()}
        return _answer({**rows, "ZUSD": {**_asset_row("USD"), "decimals": 4, "display_decimals": 2}})

    async def asset_pairs(self, request: Request) -> Response:
        return _answer({_pair(listing): self._pair_row(listing) for listing in self._markets.trading()})

    async def ticker(self, request: Request) -> Response:
        listings = self._markets.trading()
        if wanted := request.query_params.get("pair"):
            found = [self._find(name) for name in wanted.split(",")]
            if None in found:
                return _refused("EQuery:Unknown asset pair")
            listings = [listing for listing in found if listing is not None]
        quotations = self._markets.quotations(listings)
        pairs = zip(listings, quotations, strict=True)
        return _answer({_pair(listing): self._ticker_row(listing, quoted) for listing, quoted in pairs})

    async def ohlc(self, request: Request) -> Response:
        params = request.query_params
        listing = self._find(params.get("pair", ""))
        if listing is None:
            return _refused("EQuery:Unknown asset pair")
        if params.get("interval") != _DAILY_MINUTES:
            return _refused("EGeneral:Invalid arguments:interval")
        try:
            since = whole_number(params, "since")
        except BadParameterError:
            return _refused("EGeneral:Invalid arguments:since")
        days, rows = self._markets.candles(listing)
        newest = slice(max(0, len(days) - _BARS), None)
        opens, rows = opens_of(self._markets, days[newest]) // 1000, rows[newest]
        chosen = np.flatnonzero(opens > (-1 if since is None else since))
        bars = [self._bar(listing, int(opens[i]), rows[i].tolist()) for i in chosen]
        closed = opens[days[newest] < self._served.today()]
        return _answer({_pair(listing): bars, "last": int(closed[-1]) if closed.size else 0})

    def _bar(self, listing: Listing, opened: int, row: list[float]) -> list[Any]:
        prices = [price_text(listing, price) for price in row[:4]]
        average = (row[0] + row[3]) / 2.0
        count = int(row[4] * average / 150.0)
        return [opened, *prices, price_text(listing, average), amount_text(row[4]), count]

    async def depth(self, request: Request) -> Response:
        params = request.query_params
        listing = self._find(params.get("pair", ""))
        if listing is None:
            return _refused("EQuery:Unknown asset pair")
        try:
            count = whole_number(params, "count") or _DEFAULT_BOOK
        except BadParameterError:
            return _refused("EGeneral:Invalid arguments:count")
        if count > _BOOK:
            return _refused("EGeneral:Invalid arguments:count")
        book, now = order_book(self._markets, listing), self._served.clock.milliseconds // 1000
        sides = {
            name: [[*texts, now] for texts in level_texts(listing, levels[:count])]
            for name, levels in (("asks", book.asks), ("bids", book.bids))
        }
        return _answer({_pair(listing): sides})

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Listing | None:
        """A listing by its pair's key, altname or wsname."""
        return next(
            (
                listing
                for listing in self._markets.trading()
                if name in {_pair(listing), _alternative_pair(listing), f"{_alternative(listing.base)}/USD"}
            ),
            None,
        )

    def _pair_row(self, listing: Listing) -> dict[str, Any]:
        return {
            "altname": _alternative_pair(listing),
            "wsname": f"{_alternative(listing.base)}/USD",
            "aclass_base": "currency",
            "base": _asset(listing.base),
            "aclass_quote": "currency",
            "quote": "ZUSD",
            "lot": "unit",
            "cost_decimals": 5,
            "pair_decimals": listing.decimals,
            "lot_decimals": 8,
            "lot_multiplier": 1,
            "leverage_buy": [],
            "leverage_sell": [],
            "fees": [[0, 0.4], [10_000, 0.35]],
            "fees_maker": [[0, 0.25], [10_000, 0.2]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": "0.00005",
            "costmin": "0.5",
            "tick_size": tick_text(listing),
            "status": "online",
        }

    def _ticker_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        lot = amount_text(600.0 / quoted.last)
        fraction = self._served.clock.day_fraction
        volume, average = quoted.base_volume, (quoted.last + quoted.opened) / 2.0
        trades = int(quoted.quote_volume / 150.0)
        today = [amount_text(fraction * volume), amount_text(volume)]
        return {
            "a": [price_text(listing, ask), "1", lot],
            "b": [price_text(listing, bid), "1", lot],
            "c": [price_text(listing, quoted.last), amount_text(150.0 / quoted.last)],
            "v": today,
            "p": [price_text(listing, average)] * 2,
            "t": [int(fraction * trades), trades],
            "l": [price_text(listing, quoted.low)] * 2,
            "h": [price_text(listing, quoted.high)] * 2,
            "o": price_text(listing, quoted.opened),
        }


def _alternative(base: str) -> str:
    return _ALTERNATIVE_NAMES.get(base, base)


def _asset(base: str) -> str:
    name = _alternative(base)
    return f"X{name}" if name in _PREFIXED else name


def _alternative_pair(listing: Listing) -> str:
    return f"{_alternative(listing.base)}USD"


def _pair(listing: Listing) -> str:
    asset = _asset(listing.base)
    is_early = asset != _alternative(listing.base) or listing.base == "USDT"
    return f"{asset}ZUSD" if is_early else _alternative_pair(listing)


def _asset_row(name: str) -> dict[str, Any]:
    return {"aclass": "currency", "altname": name, "decimals": 8, "display_decimals": 5, "status": "enabled"}


def _answer(result: dict[str, Any]) -> Response:
    return json_answer({"error": [], "result": result})


def _refused(error: str) -> Response:
    return json_answer({"error": [error]})
