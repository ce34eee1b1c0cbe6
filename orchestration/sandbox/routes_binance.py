"""Binance spot, as ccxt and its own documentation know it: exchangeInfo, klines, ticker/24hr, depth; numbers are strings.

Belongs here: the wire format and the errors of api.binance.com and its mirror. Does not: which candles exist
(`served.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import BINANCE
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.limits import RequestLimit
from orchestration.sandbox.served import Moment, ServedMarket

HOST = "api.binance.com"
MIRROR_HOST = "data-api.binance.vision"
HOSTS = (HOST, MIRROR_HOST)
BLOCKED_STATUS = 451

_LARGEST_LIMIT = 1000
_LARGEST_BOOK, _DEFAULT_BOOK = 5000, 100
_DEFAULT_LIMIT = 500
_DAILY = "1d"
_SMALLEST_TRADE_USD = 150.0
_BTC_QUOTED = 12  # the largest tokens also trade against BTC
_ERRORS: dict[int, dict[str, Any]] = {
    429: {"code": -1003, "msg": "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."},
    451: {
        "code": 0,
        "msg": "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use.",
    },
}


def _weigh(path: str, params: Mapping[str, str]) -> int:
    """Weight of a request as Binance counts it; of a book by its levels."""
    if path.endswith("/depth"):
        levels = params.get("limit", str(_DEFAULT_BOOK))
        size = int(levels) if levels.isdigit() else _DEFAULT_BOOK
        return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if size <= most), 250)
    if path.endswith("/ticker/24hr"):
        return 2 if "symbol" in params else 80
    return {"/klines": 2, "/exchangeInfo": 20}.get(path[path.rfind("/") :], 1)


LIMITS = (RequestLimit(6000, 60.0, weigh=_weigh),)
BANS_AFTER = 3
"""6,000 of weight a minute; who goes on after 429 is banned with 418 (sources.md 1.1)."""


def error_body(status: int) -> dict[str, Any]:
    """What Binance says under an HTTP status."""
    return _ERRORS.get(status, {"code": -1000, "msg": "An unknown error occurred while processing the request."})


@dataclass(frozen=True)
class _Market:
    """One trading pair."""

    symbol: str
    base: str
    quote: str
    index: int
    quote_index: int | None  # None where USDT is the quote


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    binance = _Binance(served)
    return [
        Route("/api/v3/ping", binance.ping),
        Route("/api/v3/time", binance.time),
        Route("/api/v3/exchangeInfo", binance.exchange_info),
        Route("/api/v3/klines", binance.klines),
        Route("/api/v3/ticker/24hr", binance.ticker_24h),
        Route("/api/v3/depth", binance.depth),
    ]


class _Binance:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._against_bitcoin = _against_bitcoin(served)
        self._lowest: dict[str, float] = {}  # lowest price ever under a ticker, USD
        for use in served.market.ticker_uses:
            lowest = float(served.market.panel.lowest[use.index])
            self._lowest[use.symbol] = min(lowest, self._lowest.get(use.symbol, lowest))
        self._exchange = ExchangeMarkets(served, BINANCE)

    async def ping(self, request: Request) -> Response:
        return _answer({})

    async def time(self, request: Request) -> Response:
        return _answer({"serverTime": self._served.clock.milliseconds})

    async def exchange_info(self, request: Request) -> Response:
        markets = self._visible()
        if symbol := request.query_params.get("symbol"):
            if not any(market.symbol == symbol for market in markets):
                return _invalid_symbol()
            markets = [market for market in markets if market.symbol == symbol]
        return _answer(
            {
                "timezone": "UTC",
                "serverTime": self._served.clock.milliseconds,
                "rateLimits": [
                    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
                ],
                "exchangeFilters": [],
                "symbols": [self._symbol_row(market) for market in markets],
            }
        )

    async def klines(self, request: Request) -> Response:
        params = request.query_params
        symbol = params.get("symbol")
        if not symbol:
            return _error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        market = self._find(symbol)
        if market is None:
            return _invalid_symbol()
        if params.get("interval") != _DAILY:
            return _error(-1120, "Invalid interval.")
        try:
            limit = int(params.get("limit", _DEFAULT_LIMIT))
            start = int(params["startTime"]) if "startTime" in params else None
            end = int(params["endTime"]) if "endTime" in params else None
        except ValueError:
            return _error(-1100, "Illegal characters found in a parameter.")
        days, rows = self._rows(market)
        opens = self._served.milliseconds_at(days)
        first = 0 if start is None else int(np.searchsorted(opens, start))
        stop = len(days) if end is None else int(np.searchsorted(opens, end, side="right"))
        limit = max(1, min(limit, _LARGEST_LIMIT))
        chosen = slice(first, min(stop, first + limit)) if start is not None else slice(max(first, stop - limit), stop)
        body = _render_klines(np.asarray(opens)[chosen], rows[chosen], decimals=self._decimals(market))
        return Response(body, media_type="application/json", headers={"x-mbx-used-weight-1m": "2"})

    async def ticker_24h(self, request: Request) -> Response:
        moment = self._served.moment()

        def is_trading(market: _Market) -> bool:
            return bool(moment.is_alive[market.index]) and self._served.is_trading(market.base)

        if symbol := request.query_params.get("symbol"):
            found = self._find(symbol)
            market = found if found and is_trading(found) else None
            return _invalid_symbol() if market is None else _answer(self._ticker_row(market, moment))
        return _answer([self._ticker_row(market, moment) for market in self._visible() if is_trading(market)])

    async def depth(self, request: Request) -> Response:
        """The book of a pair against USDT; pairs against BTC have none here."""
        params = request.query_params
        market = self._find(params.get("symbol", ""))
        listing = self._exchange.find(market.base) if market and market.quote == "USDT" else None
        if listing is None or market is None or not self._exchange.is_trading(listing):
            return _invalid_symbol()
        try:
            limit = int(params.get("limit", _DEFAULT_BOOK))
        except ValueError:
            return _error(-1100, "Illegal characters found in a parameter.")
        book = order_book(self._exchange, listing)
        size, decimals = max(1, min(limit, _LARGEST_BOOK)), self._decimals(market)
        sides = {
            name: [[f"{price:.{decimals}f}", f"{amount:.8f}"] for price, amount in levels[:size].tolist()]
            for name, levels in (("bids", book.bids), ("asks", book.asks))
        }
        return _answer({"lastUpdateId": self._served.clock.milliseconds, **sides})

    # -- rows ------------------------------------------------------------------------------------------------------

    def _visible(self) -> list[_Market]:
        """Every pair so far: all tickers against USDT, the largest tokens against BTC too."""
        found = (self._find(f"{ticker}{quote}") for quote in ("USDT", "BTC") for ticker in self._served.tickers())
        return [market for market in found if market is not None]

    def _find(self, symbol: str) -> _Market | None:
        """A pair by its name, with the token that goes by the ticker now."""
        for quote in ("USDT", "BTC"):
            base = symbol.removesuffix(quote)
            use = self._served.use_of(base) if base != symbol else None
            if use is not None and (quote == "USDT" or use.index in self._against_bitcoin):
                quote_index = None if quote == "USDT" else self._served.index_of["bitcoin"]
                return _Market(symbol, base, quote, use.index, quote_index)
        return None

    def _rows(self, market: _Market) -> tuple[np.ndarray, np.ndarray]:
        """Closed candles and the unfinished one, open high low close volume in the pair's quote."""
        days, rows = self._with_unfinished(market.base)
        if market.quote_index is None:
            return days, rows
        quote_days, quote_rows = self._with_unfinished(market.quote)
        rows = rows[np.isin(days, quote_days)].copy()
        days = days[np.isin(days, quote_days)]
        quote = quote_rows[np.isin(quote_days, days)]
        rows[:, 0] /= quote[:, 0]
        rows[:, 3] /= quote[:, 3]
        # Both legs' extremes do not fall together; the pair's range is that of the base around its own body.
        rows[:, 1] = np.maximum(rows[:, 1] / quote[:, 1], rows[:, [0, 3]].max(axis=1))
        rows[:, 2] = np.minimum(rows[:, 2] / quote[:, 2], rows[:, [0, 3]].min(axis=1))
        rows[:, 4] *= 0.06
        return days, rows

    def _with_unfinished(self, ticker: str) -> tuple[np.ndarray, np.ndarray]:
        days, rows = self._served.ticker_candles(ticker)
        panel, today, use = self._served.market.panel, self._served.today(), self._served.use_of(ticker)
        if use is None or today >= panel.day_count or not self._served.is_trading(ticker):
            return days, rows
        fraction, index, token = self._served.clock.day_fraction, use.index, panel.token(use.index)
        rate = panel.usdt_rate[max(today - 1, 0)]
        first = float(token.open[today]) / rate
        last = float(self._served.prices_within(today, fraction, index)) / rate
        traded = self._served.venue_share(index) * float(token.volume[today]) / float(token.close[today])
        unfinished = [first, max(first, last), min(first, last), last, fraction * traded]
        return np.append(days, today), np.vstack([rows, unfinished])

    def _decimals(self, market: _Market) -> int:
        """Decimals of a pair's prices: 8, more for tokens worth next to nothing."""
        lowest = self._lowest[market.base]
        if market.quote_index is not None:
            lowest /= float(self._served.market.panel.highest[market.quote_index])
        return max(8, 5 - math.floor(math.log10(lowest)))

    def _step_decimals(self, market: _Market) -> int:
        """Decimals of a pair's amounts, so that a step is worth some cents to a few dollars: 5 for bitcoin, none below a dollar."""
        return min(max(1 + math.floor(math.log10(self._lowest[market.base])), 0), 5)

    def _symbol_row(self, market: _Market) -> dict[str, Any]:
        tick = f"{10.0 ** -self._decimals(market):.{self._decimals(market)}f}"
        step = f"{10.0 ** -self._step_decimals(market):.8f}"
        return {
            "symbol": market.symbol,
            "status": "TRADING" if self._served.is_trading(market.base) else "BREAK",
            "baseAsset": market.base,
            "baseAssetPrecision": 8,
            "quoteAsset": market.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": True,
            "ocoAllowed": True,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "10000000.00000000", "tickSize": tick},
                {
                    "filterType": "LOT_SIZE",
                    "minQty": step,
                    "maxQty": "92000000000.00000000",
                    "stepSize": step,
                },
                {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
            ],
            "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
        }

    def _ticker_row(self, market: _Market, moment: Moment) -> dict[str, Any]:
        index = market.index
        rate = moment.price[market.quote_index if market.quote_index is not None else self._served.index_of["tether"]]
        last = float(moment.price[index] / rate)
        before = float(moment.price_day_ago[index] / rate)
        opened = last if math.isnan(before) else before
        share = self._served.venue_share(index) * (0.06 if market.quote_index is not None else 1.0)
        quote_volume = float(share * moment.volume[index] / rate)
        spread = 0.0002 + 0.02 * min(1.0, 1e4 / max(quote_volume, 1.0))
        now, decimals = self._served.clock.milliseconds, self._decimals(market)

        def price(value: float) -> str:
            return f"{value:.{decimals}f}"

        return {
            "symbol": market.symbol,
            "priceChange": price(last - opened),
            "priceChangePercent": f"{100.0 * (last / opened - 1.0):.3f}",
            "weightedAvgPrice": price((last + opened) / 2.0),
            "prevClosePrice": price(opened),
            "lastPrice": price(last),
            "lastQty": f"{_SMALLEST_TRADE_USD / last:.8f}",
            "bidPrice": price(last * (1.0 - spread / 2.0)),
            "bidQty": f"{4 * _SMALLEST_TRADE_USD / last:.8f}",
            "askPrice": price(last * (1.0 + spread / 2.0)),
            "askQty": f"{4 * _SMALLEST_TRADE_USD / last:.8f}",
            "openPrice": price(opened),
            "highPrice": price(float(moment.high[index] / rate)),
            "lowPrice": price(float(moment.low[index] / rate)),
            "volume": f"{quote_volume / last:.8f}",
            "quoteVolume": f"{quote_volume:.8f}",
            "openTime": now - MILLISECONDS_A_DAY,
            "closeTime": now,
            "firstId": 1,
            "lastId": 1 + int(quote_volume / _SMALLEST_TRADE_USD),
            "count": 1 + int(quote_volume / _SMALLEST_TRADE_USD),
        }


def _against_bitcoin(served: ServedMarket) -> frozenset[int]:
    """The largest tokens, which trade against BTC too."""
    members, bitcoin = served.market.members, served.index_of["bitcoin"]
    listed = [use.index for use in served.market.ticker_uses if use.index != bitcoin]
    large = [index for index in listed if members[index].is_protected and not members[index].is_stable]
    return frozenset(large[:_BTC_QUOTED])


def _render_klines(opens: np.ndarray, rows: np.ndarray, *, decimals: int) -> bytes:
    """Rows of 12 columns: open time, OHLC, base volume, close time, quote volume, trades, taker volumes, unused."""
    price = f'"%.{decimals}f"'
    template = f'[%d,{price},{price},{price},{price},"%.8f",%d,"%.8f",%d,"%.8f","%.8f","0"]'
    quote_volume = rows[:, 4] * rows[:, [0, 3]].mean(axis=1)
    columns = (
        opens.tolist(),
        *(rows[:, column].tolist() for column in range(5)),
        (opens + MILLISECONDS_A_DAY - 1).tolist(),
        quote_volume.tolist(),
        (quote_volume / _SMALLEST_TRADE_USD).tolist(),
        (rows[:, 4] * 0.5).tolist(),
        (quote_volume * 0.5).tolist(),
    )
    return ("[" + ",".join([template % row for row in zip(*columns, strict=True)]) + "]").encode()


def _answer(content: Any) -> Response:
    return Response(json.dumps(content), media_type="application/json", headers={"x-mbx-used-weight-1m": "2"})


def _error(code: int, message: str) -> Response:
    return Response(json.dumps({"code": code, "msg": message}), 400, media_type="application/json")


def _invalid_symbol() -> Response:
    return _error(-1121, "Invalid symbol.")
