"""KuCoin: spot symbols, tickers, candles and books; perpetual contracts, funding and open interest.

Every answer is an envelope with `code`, `200000` for success. Spot candles are texts in the order time (seconds), open,
CLOSE, HIGH, LOW, base volume, quote volume, newest first. Futures name bitcoin XBT and count contracts.

Belongs here: the wire format of api.kucoin.com and api-futures.kucoin.com. Does not: which candles exist
(`exchange_markets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import KUCOIN, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, Quotation
from orchestration.sandbox.exchange_perpetuals import Perpetual, Perpetuals
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
from orchestration.sandbox.limits import RequestLimit
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.kucoin.com", "api-futures.kucoin.com")
BLOCKED_STATUS = 403

_WEIGHTS: Final[Mapping[str, int]] = {
    "/currencies": 3,
    "/symbols": 4,
    "/market/allTickers": 15,
    "/market/stats": 15,
    "/market/candles": 3,
    "/market/orderbook/level2_20": 2,
    "/market/orderbook/level2_100": 4,
    "/contracts/active": 3,
    "/market/open-interest": 10,
    "/market/funding-rate": 3,
    "/contract/funding-rates": 5,
}
_DAILY = "1day"
_LARGEST_PAGE, _DEFAULT_PAGE = 1500, 100
_FUNDING_PAGE = 100
_OPEN_INTEREST_PAGE, _DEFAULT_OPEN_INTEREST_PAGE = 200, 30
_PERIODS = {"1day": MILLISECONDS_A_DAY, "4hour": MILLISECONDS_A_DAY // 6, "1hour": MILLISECONDS_A_DAY // 24}


def _weigh(path: str, params: Mapping[str, str]) -> int:
    return next((weight for ending, weight in _WEIGHTS.items() if path.endswith(ending)), 2)


LIMITS = (RequestLimit(4000, 30.0, weigh=_weigh),)
"""4,000 of weight in 30 seconds (comments of ccxt 4.5.90)."""


def error_body(status: int) -> dict[str, Any]:
    """What KuCoin says under an HTTP status."""
    if status == 429:
        return {"code": "429000", "msg": "Too many requests in a short period of time, please retry later"}
    if status == BLOCKED_STATUS:
        return {"code": "400302", "msg": "Our services are currently unavailable in your country or region."}
    return {"code": "500000", "msg": "Internal Server Error"}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the hosts."""
    kucoin = _KuCoin(served)
    return [
        Route("/api/v1/timestamp", kucoin.timestamp),
        Route("/api/v3/currencies", kucoin.currencies),
        Route("/api/v2/symbols", kucoin.symbols),
        Route("/api/v1/market/allTickers", kucoin.all_tickers),
        Route("/api/v1/market/stats", kucoin.stats),
        Route("/api/v1/market/candles", kucoin.candles),
        Route("/api/v1/market/orderbook/level2_{size:int}", kucoin.book),
        Route("/api/v1/contracts/active", kucoin.active_contracts),
        Route("/api/v1/funding-rate/{symbol}/current", kucoin.funding_rate),
        Route("/api/v1/contract/funding-rates", kucoin.funding_rates),
        Route("/api/ua/v2/market/funding-rate", kucoin.all_funding_rates),
        Route("/api/ua/v1/market/open-interest", kucoin.open_interest),
    ]


class _KuCoin:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, KUCOIN)
        self._perpetuals = Perpetuals(self._markets)

    async def timestamp(self, request: Request) -> Response:
        return _answer(self._served.clock.milliseconds)

    # -- spot ------------------------------------------------------------------------------------------------------

    async def currencies(self, request: Request) -> Response:
        members = self._served.members
        rows = [self._currency_row(each.base, members[each.index].name) for each in self._markets.trading()]
        return _answer([*rows, self._currency_row("USDT", "Tether")])

    async def symbols(self, request: Request) -> Response:
        return _answer([self._symbol_row(listing) for listing in self._markets.trading()])

    async def all_tickers(self, request: Request) -> Response:
        listings = self._markets.trading()
        quotations = self._markets.quotations(listings)
        rows = [self._ticker_row(each, quoted) for each, quoted in zip(listings, quotations, strict=True)]
        return _answer({"time": self._served.clock.milliseconds, "ticker": rows})

    async def stats(self, request: Request) -> Response:
        listing = self._find(request)
        if listing is None:
            return _refused("Unsupported trading pair.")
        row = self._ticker_row(listing, self._markets.quotations([listing])[0])
        return _answer({"time": self._served.clock.milliseconds, **row})

    async def candles(self, request: Request) -> Response:
        listing, params = self._find(request), request.query_params
        if listing is None:
            return _refused("Unsupported trading pair.")
        if params.get("type") != _DAILY:
            return _refused("Incorrect candlestick type.")
        try:
            start, end = whole_number(params, "startAt") or 0, whole_number(params, "endAt") or 0
        except BadParameterError as error:
            return _refused(f"{error.name} is invalid")
        days, rows = self._markets.candles(listing)
        opens = opens_of(self._markets, days) // 1000
        # Without an end the newest come; the end itself is not included.
        chosen = np.flatnonzero((opens >= start) & ((opens < end) | (end == 0)))[::-1]
        chosen = chosen[: _LARGEST_PAGE if start or end else _DEFAULT_PAGE]
        return _answer([self._candle(listing, int(opens[i]), rows[i].tolist()) for i in chosen])

    def _candle(self, listing: Listing, opened: int, row: list[float]) -> list[str]:
        prices = [price_text(listing, row[column]) for column in (0, 3, 1, 2)]
        return [str(opened), *prices, amount_text(row[4]), amount_text(row[4] * (row[0] + row[3]) / 2.0)]

    async def book(self, request: Request) -> Response:
        listing, size = self._find(request), request.path_params["size"]
        if size not in (20, 100):
            return json_answer({"code": "404000", "msg": "Not Found"}, 404)
        if listing is None:
            return _refused("Unsupported trading pair.")
        book = order_book(self._markets, listing)
        now = self._served.clock.milliseconds
        return _answer(
            {
                "time": now,
                "sequence": str(now),
                "bids": level_texts(listing, book.bids[:size]),
                "asks": level_texts(listing, book.asks[:size]),
            }
        )

    # -- perpetuals ------------------------------------------------------------------------------------------------

    async def active_contracts(self, request: Request) -> Response:
        contracts = self._perpetuals.trading()
        quotations = self._markets.quotations([contract.listing for contract in contracts])
        return _answer(
            [self._contract_row(contract, quoted) for contract, quoted in zip(contracts, quotations, strict=True)]
        )

    async def funding_rate(self, request: Request) -> Response:
        contract = self._find_contract(request.path_params["symbol"])
        if contract is None:
            return _refused("The symbol does not exist.", "100001")
        coming, step = self._perpetuals.next_funding_time(contract), _step(contract)
        return _answer(
            {
                "symbol": _funding_symbol(contract),
                "granularity": step,
                "timePoint": coming - step,
                "value": self._rate(contract, coming),
                "dailyInterestRate": 0.0003,
                "fundingRateCap": 0.0075,
                "fundingRateFloor": -0.0075,
                "period": 1,
                "fundingTime": coming,
            }
        )

    async def all_funding_rates(self, request: Request) -> Response:
        rows = [self._funding_row(contract) for contract in self._perpetuals.trading()]
        # Indices stand between the contracts on the real exchange too.
        return _answer([*rows, *({**row, "symbol": f".{row['symbol']}FPI"} for row in rows[:2])])

    async def funding_rates(self, request: Request) -> Response:
        params = request.query_params
        contract = self._find_contract(params.get("symbol", ""))
        if contract is None:
            return _refused("The symbol does not exist.", "100001")
        try:
            start, end = whole_number(params, "from") or 0, whole_number(params, "to")
        except BadParameterError as error:
            return _refused(f"{error.name} is invalid", "100001")
        times = self._perpetuals.funding_times(contract)
        times = times[(times >= start) & ((times <= end) if end is not None else True)][::-1][:_FUNDING_PAGE]
        rates = self._perpetuals.funding_rates(contract, times)
        return _answer(
            [
                {"symbol": _symbol(contract), "fundingRate": round(rate, 10), "timepoint": time}
                for time, rate in zip(times.tolist(), rates.tolist(), strict=True)
            ]
        )

    async def open_interest(self, request: Request) -> Response:
        params = request.query_params
        wanted = [symbol for symbol in params.get("symbol", "").split(",") if symbol]
        if len(wanted) > 10:
            return _refused("A maximum of 10 symbols is allowed.")
        contracts = self._perpetuals.trading()
        if wanted:
            contracts = [contract for contract in contracts if _symbol(contract) in wanted]
        if wanted and len(contracts) < len(set(wanted)):
            return _refused("The symbol does not exist.")
        if "interval" not in params:
            now = np.array([self._served.clock.milliseconds])
            return _answer([row for contract in contracts for row in self._open_interest_rows(contract, now)])
        step = _PERIODS.get(params["interval"])
        if step is None or len(contracts) != 1:
            return _refused("interval is invalid")
        try:
            size = min(whole_number(params, "pageSize") or _DEFAULT_OPEN_INTEREST_PAGE, _OPEN_INTEREST_PAGE)
            start, end = whole_number(params, "startAt") or 0, whole_number(params, "endAt")
        except BadParameterError as error:
            return _refused(f"{error.name} is invalid")
        contract = contracts[0]
        times = np.arange(
            int(self._served.milliseconds_at(contract.first_day)) + step, self._served.clock.milliseconds + 1, step
        )
        times = times[(times >= start) & ((times <= end) if end is not None else True)]
        times = times[:size] if start else times[-size:]
        return _answer(self._open_interest_rows(contract, times[::-1]))

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, request: Request) -> Listing | None:
        base, _, quote = request.query_params.get("symbol", "").partition("-")
        listing = self._markets.find(base)
        return listing if listing and quote == KUCOIN.quote and self._markets.is_trading(listing) else None

    def _find_contract(self, symbol: str) -> Perpetual | None:
        return next((contract for contract in self._perpetuals.trading() if _symbol(contract) == symbol), None)

    def _currency_row(self, code: str, name: str) -> dict[str, Any]:
        return {
            "currency": code,
            "name": code,
            "fullName": name,
            "precision": 8,
            "confirms": None,
            "contractAddress": None,
            "isMarginEnabled": False,
            "isDebitEnabled": False,
            "chains": [],
        }

    def _symbol_row(self, listing: Listing) -> dict[str, Any]:
        name = f"{listing.base}-{KUCOIN.quote}"
        return {
            "symbol": name,
            "name": name,
            "baseCurrency": listing.base,
            "quoteCurrency": KUCOIN.quote,
            "feeCurrency": KUCOIN.quote,
            "market": "USDS",
            "baseMinSize": "0.00001",
            "quoteMinSize": "0.1",
            "baseMaxSize": "10000000000",
            "quoteMaxSize": "99999999",
            "baseIncrement": "0.00000001",
            "quoteIncrement": "0.000001",
            "priceIncrement": tick_text(listing),
            "priceLimitRate": "0.1",
            "minFunds": "0.1",
            "isMarginEnabled": False,
            "enableTrading": True,
        }

    def _ticker_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        name = f"{listing.base}-{KUCOIN.quote}"
        return {
            "symbol": name,
            "symbolName": name,
            "buy": price_text(listing, bid),
            "bestBidSize": amount_text(600.0 / quoted.last),
            "sell": price_text(listing, ask),
            "bestAskSize": amount_text(600.0 / quoted.last),
            "changeRate": f"{quoted.last / quoted.opened - 1.0:.4f}",
            "changePrice": price_text(listing, quoted.last - quoted.opened),
            "high": price_text(listing, quoted.high),
            "low": price_text(listing, quoted.low),
            "vol": amount_text(quoted.base_volume),
            "volValue": amount_text(quoted.quote_volume),
            "last": price_text(listing, quoted.last),
            "averagePrice": price_text(listing, (quoted.last + quoted.opened) / 2.0),
            "takerFeeRate": "0.001",
            "makerFeeRate": "0.001",
            "takerCoefficient": "1",
            "makerCoefficient": "1",
        }

    def _contract_row(self, contract: Perpetual, quoted: Quotation) -> dict[str, Any]:
        listing, coming = contract.listing, self._perpetuals.next_funding_time(contract)
        return {
            "symbol": _symbol(contract),
            "rootSymbol": "USDT",
            "type": "FFWCSX",
            "firstOpenDate": self._served.milliseconds_at(contract.first_day),
            "expireDate": None,
            "settleDate": None,
            "baseCurrency": _base(contract),
            "quoteCurrency": "USDT",
            "settleCurrency": "USDT",
            "maxOrderQty": 1_000_000,
            "maxPrice": 1_000_000.0,
            "lotSize": 1,
            "tickSize": 10.0**-listing.decimals,
            "multiplier": contract.contract_size,
            "makerFeeRate": 0.0002,
            "takerFeeRate": 0.0006,
            "isDeleverage": True,
            "isQuanto": False,
            "isInverse": False,
            "fundingRateSymbol": _funding_symbol(contract),
            "status": "Open",
            "fundingFeeRate": self._rate(contract, coming),
            "predictedFundingFeeRate": None,
            "fundingRateGranularity": _step(contract),
            "openInterest": self._open_interest_rows(contract, np.array([self._served.clock.milliseconds]))[0][
                "openInterest"
            ],
            "turnoverOf24h": quoted.quote_volume,
            "volumeOf24h": quoted.base_volume,
            "markPrice": quoted.last,
            "indexPrice": quoted.last,
            "lastTradePrice": quoted.last,
            "nextFundingRateTime": coming - self._served.clock.milliseconds,
            "maxLeverage": 50,
            "lowPrice": quoted.low,
            "highPrice": quoted.high,
            "priceChgPct": quoted.last / quoted.opened - 1.0,
            "priceChg": quoted.last - quoted.opened,
        }

    def _funding_row(self, contract: Perpetual) -> dict[str, Any]:
        coming, step = self._perpetuals.next_funding_time(contract), _step(contract)
        return {
            "symbol": _symbol(contract),
            "nextFundingRate": self._rate(contract, coming),
            "fundingTime": coming,
            "fundingRateCap": 0.0075,
            "fundingRateFloor": -0.0075,
            "currentGranularity": step,
            "newGranularity": step,
            "newGranularityStartTime": self._served.milliseconds_at(contract.first_day),
        }

    def _rate(self, contract: Perpetual, time: int) -> float:
        return round(float(self._perpetuals.funding_rates(contract, np.array([time]))[0]), 10)

    def _open_interest_rows(self, contract: Perpetual, times: np.ndarray) -> list[dict[str, Any]]:
        usd = self._perpetuals.open_interest_usd(contract, times)
        counts = usd / self._perpetuals.price_usd(contract, times) / contract.contract_size
        return [
            {"symbol": _symbol(contract), "openInterest": f"{count:.0f}", "ts": time}
            for time, count in zip(times.tolist(), counts.tolist(), strict=True)
        ]


def _base(contract: Perpetual) -> str:
    return {"BTC": "XBT"}.get(contract.listing.base, contract.listing.base)


def _symbol(contract: Perpetual) -> str:
    return f"{_base(contract)}USDTM"


def _funding_symbol(contract: Perpetual) -> str:
    return f".{_symbol(contract)}FPI{contract.interval_hours}H"


def _step(contract: Perpetual) -> int:
    return contract.interval_hours * MILLISECONDS_A_DAY // 24


def _answer(data: Any) -> Response:
    return json_answer({"code": "200000", "data": data})


def _refused(message: str, code: str = "400100") -> Response:
    return json_answer({"code": code, "msg": message}, 400)
