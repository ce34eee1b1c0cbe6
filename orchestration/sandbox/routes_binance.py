"""Binance spot, as ccxt and its own documentation know it: exchangeInfo, klines, ticker/24hr; numbers are strings.

Belongs here: the wire format and the errors of api.binance.com and its mirror. Does not: which candles exist
(`served.py`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.served import Moment, ServedMarket

HOST = "api.binance.com"
MIRROR_HOST = "data-api.binance.vision"
BLOCKED_STATUS = 451

_LARGEST_LIMIT = 1000
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
    ]


class _Binance:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = {market.symbol: market for market in _list_markets(served)}

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
        market = self._markets.get(symbol)
        if market is None or not self._is_visible(market):
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
        trading = {market.symbol: market for market in self._visible() if moment.is_alive[market.index]}
        if symbol := request.query_params.get("symbol"):
            market = trading.get(symbol)
            return _invalid_symbol() if market is None else _answer(self._ticker_row(market, moment))
        return _answer([self._ticker_row(market, moment) for market in trading.values()])

    # -- rows ------------------------------------------------------------------------------------------------------

    def _visible(self) -> list[_Market]:
        return [market for market in self._markets.values() if self._is_visible(market)]

    def _is_visible(self, market: _Market) -> bool:
        return self._served.is_listed(market.index)

    def _rows(self, market: _Market) -> tuple[np.ndarray, np.ndarray]:
        """Closed candles and the unfinished one, open high low close volume in the pair's quote."""
        days, rows = self._with_unfinished(market.index)
        if market.quote_index is None:
            return days, rows
        quote_days, quote_rows = self._with_unfinished(market.quote_index)
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

    def _with_unfinished(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        days, rows = self._served.candles(index)
        panel, today = self._served.market.panel, self._served.today()
        if today >= len(panel.close) or not self._served.is_alive(index):
            return days, rows
        fraction = self._served.clock.day_fraction
        rate = panel.usdt_rate[max(today - 1, 0)]
        first = float(panel.open[today, index]) / rate
        last = float(self._served.prices_within(today, fraction, index)) / rate
        traded = self._served.venue_share(index) * float(panel.volume[today, index]) / float(panel.close[today, index])
        unfinished = [first, max(first, last), min(first, last), last, fraction * traded]
        return np.append(days, today), np.vstack([rows, unfinished])

    def _decimals(self, market: _Market) -> int:
        """Decimals of a pair's prices: 8, more for tokens worth next to nothing."""
        lowest = float(np.nanmin(self._served.market.panel.low[:, market.index]))
        if market.quote_index is not None:
            lowest /= float(np.nanmax(self._served.market.panel.high[:, market.quote_index]))
        return max(8, 5 - math.floor(math.log10(lowest)))

    def _symbol_row(self, market: _Market) -> dict[str, Any]:
        tick = f"{10.0 ** -self._decimals(market):.{self._decimals(market)}f}"
        return {
            "symbol": market.symbol,
            "status": "TRADING" if self._served.is_alive(market.index) else "BREAK",
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
                    "minQty": "0.00000100",
                    "maxQty": "92000000000.00000000",
                    "stepSize": "0.00000100",
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


def _list_markets(served: ServedMarket) -> list[_Market]:
    """Every pair that ever trades: all listed tokens against USDT, the largest against BTC too."""
    members, listed = served.market.members, served.market.lifetimes.listed
    bitcoin = served.index_of["bitcoin"]
    on_exchange = [index for index in range(len(members)) if listed[index] >= 0]
    markets = [
        _Market(f"{members[index].symbol}USDT", members[index].symbol, "USDT", index, None) for index in on_exchange
    ]
    against_bitcoin = [
        index
        for index in on_exchange
        if index != bitcoin and (members[index].is_protected and not members[index].is_stable)
    ]
    markets += [
        _Market(f"{members[index].symbol}BTC", members[index].symbol, "BTC", index, bitcoin)
        for index in against_bitcoin[:_BTC_QUOTED]
    ]
    return markets


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
