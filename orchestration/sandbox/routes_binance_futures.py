"""Binance USDT-margined futures: contracts, funding, open interest.

Cheap tokens trade by the thousand (`1000NAMEUSDT`). Open interest is in tokens (of which a thousand make one of those),
its history reaches back 30 days. `fundingInfo` lists only contracts whose interval is not 8 hours.

Belongs here: the wire format of fapi.binance.com. Does not: spot (`routes_binance.py`), the rates
(`exchange_perpetuals.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.exchange_listings import BINANCE
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.exchange_perpetuals import Perpetual, Perpetuals
from orchestration.sandbox.exchange_wire import BadParameterError, json_answer, price_text, tick_text, whole_number
from orchestration.sandbox.limits import RequestLimit
from orchestration.sandbox.routes_binance import BANS_AFTER, BLOCKED_STATUS, error_body
from orchestration.sandbox.served import ServedMarket

__all__ = ["BANS_AFTER", "BLOCKED_STATUS", "HOSTS", "LIMITS", "error_body", "make_routes"]

HOSTS = ("fapi.binance.com",)
LIMITS = (RequestLimit(2400, 60.0), RequestLimit(500, 300.0, path="/fundingRate"))
"""2,400 of weight a minute, the history of funding 500 in five minutes [K]."""

_CHEAP = 0.05  # opening price in USD under which a contract is about a thousand tokens
_FUNDING_PAGE, _DEFAULT_FUNDING_PAGE = 1000, 100
_STATISTICS_PAGE, _DEFAULT_STATISTICS_PAGE, _STATISTICS_DAYS = 500, 30, 30
_PERIODS = {"1d": MILLISECONDS_A_DAY, "4h": MILLISECONDS_A_DAY // 6, "1h": MILLISECONDS_A_DAY // 24}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    futures = _Futures(served)
    return [
        Route("/fapi/v1/ping", futures.ping),
        Route("/fapi/v1/exchangeInfo", futures.exchange_info),
        Route("/fapi/v1/premiumIndex", futures.premium_index),
        Route("/fapi/v1/fundingRate", futures.funding_rate),
        Route("/fapi/v1/fundingInfo", futures.funding_info),
        Route("/fapi/v1/openInterest", futures.open_interest),
        Route("/futures/data/openInterestHist", futures.open_interest_history),
    ]


class _Futures:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, BINANCE)
        self._perpetuals = Perpetuals(self._markets)

    async def ping(self, request: Request) -> Response:
        return json_answer({})

    async def exchange_info(self, request: Request) -> Response:
        now = self._served.clock.milliseconds
        return json_answer(
            {
                "timezone": "UTC",
                "serverTime": now,
                "rateLimits": [
                    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}
                ],
                "exchangeFilters": [],
                "assets": [{"asset": "USDT", "marginAvailable": True}],
                "symbols": [self._symbol_row(contract) for contract in self._perpetuals.visible()],
            }
        )

    async def premium_index(self, request: Request) -> Response:
        contracts = self._perpetuals.trading()
        if symbol := request.query_params.get("symbol"):
            contracts = [contract for contract in contracts if self._symbol(contract) == symbol]
            if not contracts:
                return _invalid_symbol()
        quotations = self._markets.quotations([contract.listing for contract in contracts])
        rows = [
            self._premium_row(contract, quoted.last) for contract, quoted in zip(contracts, quotations, strict=True)
        ]
        return json_answer(rows[0] if symbol else rows)

    async def funding_rate(self, request: Request) -> Response:
        params = request.query_params
        contract = self._find(params.get("symbol", ""))
        if contract is None:
            return _invalid_symbol()
        try:
            start, end, limit = (whole_number(params, name) for name in ("startTime", "endTime", "limit"))
        except BadParameterError:
            return _illegal()
        times = self._perpetuals.funding_times(contract)
        times = times[(times >= (start or 0)) & ((times <= end) if end is not None else True)]
        count = min(limit or _DEFAULT_FUNDING_PAGE, _FUNDING_PAGE)
        times = times[:count] if start is not None else times[-count:]
        rates = self._perpetuals.funding_rates(contract, times)
        prices = self._perpetuals.price_usd(contract, times) * self._multiple(contract)
        columns = (times.tolist(), rates.tolist(), prices.tolist())
        return json_answer(
            [
                {
                    "symbol": self._symbol(contract),
                    "fundingTime": time,
                    "fundingRate": f"{rate:.8f}",
                    "markPrice": price_text(contract.listing, price),
                }
                for time, rate, price in zip(*columns, strict=True)
            ]
        )

    async def funding_info(self, request: Request) -> Response:
        return json_answer(
            [
                {
                    "symbol": self._symbol(contract),
                    "adjustedFundingRateCap": "0.00750000",
                    "adjustedFundingRateFloor": "-0.00750000",
                    "fundingIntervalHours": contract.interval_hours,
                    "disclaimer": False,
                }
                for contract in self._perpetuals.trading()
                if contract.interval_hours != 8
            ]
        )

    async def open_interest(self, request: Request) -> Response:
        contract = self._find(request.query_params.get("symbol", ""))
        if contract is None or not self._perpetuals.is_trading(contract):
            return _invalid_symbol()
        now = self._served.clock.milliseconds
        tokens, _ = self._open_interest(contract, np.array([now]))
        return json_answer({"symbol": self._symbol(contract), "openInterest": f"{tokens[0]:.3f}", "time": now})

    async def open_interest_history(self, request: Request) -> Response:
        params = request.query_params
        contract, step = self._find(params.get("symbol", "")), _PERIODS.get(params.get("period", ""))
        if contract is None or step is None:
            return _invalid_symbol()
        try:
            start, end, limit = (whole_number(params, name) for name in ("startTime", "endTime", "limit"))
        except BadParameterError:
            return _illegal()
        now = self._served.clock.milliseconds
        oldest = now - _STATISTICS_DAYS * MILLISECONDS_A_DAY
        if start is not None and start < oldest:
            return json_answer({"code": -1130, "msg": "parameter 'startTime' is invalid."}, 400)
        launched = int(self._served.milliseconds_at(contract.first_day)) + step
        ended = int(self._served.milliseconds_at(contract.listing.last_day + 1))
        times = np.arange(launched, min(now, ended) + 1, step)
        times = times[(times >= max(start or 0, oldest)) & ((times <= end) if end is not None else True)]
        count = min(limit or _DEFAULT_STATISTICS_PAGE, _STATISTICS_PAGE)
        times = times[:count] if start is not None else times[-count:]
        columns = (times.tolist(), *(values.tolist() for values in self._open_interest(contract, times)))
        return json_answer(
            [
                {
                    "symbol": self._symbol(contract),
                    "sumOpenInterest": f"{tokens:.8f}",
                    "sumOpenInterestValue": f"{value:.8f}",
                    "timestamp": time,
                }
                for time, tokens, value in zip(*columns, strict=True)
            ]
        )

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, symbol: str) -> Perpetual | None:
        base = symbol.removesuffix("USDT")
        for name in (base, base.removeprefix("1000")):
            contract = self._perpetuals.find(name)
            if contract and self._symbol(contract) == symbol:
                return contract
        return None

    def _multiple(self, contract: Perpetual) -> int:
        """Tokens in one unit of the contract."""
        return 1000 if self._served.market.members[contract.listing.index].opening_price_usd < _CHEAP else 1

    def _base(self, contract: Perpetual) -> str:
        return f"{'1000' if self._multiple(contract) == 1000 else ''}{contract.listing.base}"

    def _symbol(self, contract: Perpetual) -> str:
        return f"{self._base(contract)}USDT"

    def _open_interest(self, contract: Perpetual, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Units of the contract, and USD."""
        usd = self._perpetuals.open_interest_usd(contract, times)
        return usd / self._perpetuals.price_usd(contract, times) / self._multiple(contract), usd

    def _premium_row(self, contract: Perpetual, price: float) -> dict[str, Any]:
        coming = self._perpetuals.next_funding_time(contract)
        rate = float(self._perpetuals.funding_rates(contract, np.array([coming]))[0])
        text = price_text(contract.listing, price * self._multiple(contract))
        return {
            "symbol": self._symbol(contract),
            "markPrice": text,
            "indexPrice": text,
            "estimatedSettlePrice": text,
            "lastFundingRate": f"{rate:.8f}",
            "interestRate": "0.00010000",
            "nextFundingTime": coming,
            "time": self._served.clock.milliseconds,
        }

    def _symbol_row(self, contract: Perpetual) -> dict[str, Any]:
        listing, base, is_trading = contract.listing, self._base(contract), self._perpetuals.is_trading(contract)
        return {
            "symbol": self._symbol(contract),
            "pair": self._symbol(contract),
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": int(self._served.milliseconds_at(contract.first_day)),
            "status": "TRADING" if is_trading else "SETTLING",
            "baseAsset": base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": listing.decimals,
            "quantityPrecision": 3,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": tick_text(listing),
                    "maxPrice": "10000000",
                    "tickSize": tick_text(listing),
                },
                {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "10000000", "stepSize": "0.001"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
            ],
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC"],
        }


def _illegal() -> Response:
    return json_answer({"code": -1100, "msg": "Illegal characters found in a parameter."}, 400)


def _invalid_symbol() -> Response:
    return json_answer({"code": -1121, "msg": "Invalid symbol."}, 400)
