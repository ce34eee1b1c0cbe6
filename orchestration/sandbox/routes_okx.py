"""OKX v5: spot and perpetual instruments, tickers, candles, books, funding, open interest.

Every answer is an envelope with `code`; an error other than the rate limit comes under HTTP 200. Lists are newest
first, numbers are texts, instants milliseconds as text.

Belongs here: the wire format of www.okx.com. Does not: which candles exist (`exchange_markets.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import OKX, Listing
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

HOSTS = ("www.okx.com",)
BLOCKED_STATUS = 403
LIMITS = (
    RequestLimit(40, 2.0, path="/market/candles"),
    *(
        RequestLimit(20, 2.0, path=path)
        for path in (
            "/market/history-candles",
            "/market/tickers",
            "/market/ticker",
            "/market/books",
            "/public/instruments",
            "/public/funding-rate",
            "/public/funding-rate-history",
            "/public/open-interest",
            "/rubik/stat/contracts/open-interest-history",
        )
    ),
)
"""Each path has a budget of its own (sources.md 1.1)."""

_DAILY = "1Dutc"
_RECENT_BARS = 1440  # older ones come from `history-candles` only
_LARGEST_PAGE, _DEFAULT_PAGE = 300, 100
_FUNDING_PAGE, _FUNDING_DAYS = 100, 92
_STATISTICS_PAGE = 100
_BOOK, _FULL_BOOK = 400, 5000


def error_body(status: int) -> dict[str, Any]:
    """What OKX says under an HTTP status."""
    if status == 429:
        return _envelope([], "50011", "Too Many Requests")
    if status == BLOCKED_STATUS:
        return _envelope([], "50062", "This feature is currently unavailable in your country or region.")
    return _envelope([], "50001", "Service temporarily unavailable. Try again later")


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    okx = _Okx(served)
    return [
        Route("/api/v5/public/time", okx.time),
        Route("/api/v5/public/instruments", okx.instruments),
        Route("/api/v5/market/tickers", okx.tickers),
        Route("/api/v5/market/ticker", okx.ticker),
        Route("/api/v5/market/candles", okx.candles),
        Route("/api/v5/market/history-candles", okx.history_candles),
        Route("/api/v5/market/books", okx.books),
        Route("/api/v5/market/books-full", okx.books_full),
        Route("/api/v5/public/funding-rate", okx.funding_rate),
        Route("/api/v5/public/funding-rate-history", okx.funding_rate_history),
        Route("/api/v5/public/open-interest", okx.open_interest),
        Route("/api/v5/rubik/stat/contracts/open-interest-history", okx.open_interest_history),
    ]


class _Okx:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, OKX)
        self._perpetuals = Perpetuals(self._markets)

    async def time(self, request: Request) -> Response:
        return _answer([{"ts": str(self._served.clock.milliseconds)}])

    async def instruments(self, request: Request) -> Response:
        match request.query_params.get("instType"):
            case "SPOT":
                return _answer([self._spot_row(listing) for listing in self._markets.trading()])
            case "SWAP":
                return _answer([self._swap_row(contract) for contract in self._perpetuals.trading()])
            case "FUTURES" | "OPTION" | "MARGIN":
                return _answer([])
        return _bad_parameter("instType")

    # -- spot ------------------------------------------------------------------------------------------------------

    async def tickers(self, request: Request) -> Response:
        if request.query_params.get("instType") != "SPOT":
            return _answer([])
        return _answer(self._ticker_rows(self._markets.trading()))

    async def ticker(self, request: Request) -> Response:
        listing = self._find(request)
        return _unknown_instrument() if listing is None else _answer(self._ticker_rows([listing]))

    async def candles(self, request: Request) -> Response:
        return self._candles(request, is_history=False)

    async def history_candles(self, request: Request) -> Response:
        return self._candles(request, is_history=True)

    def _candles(self, request: Request, *, is_history: bool) -> Response:
        listing, params = self._find(request), request.query_params
        if listing is None:
            return _unknown_instrument()
        # `1D` opens at 16:00 UTC on the real exchange; the simulated market has no prices for such a day.
        if params.get("bar") != _DAILY:
            return _bad_parameter("bar")
        try:
            limit = whole_number(params, "limit") or _DEFAULT_PAGE
            before, after = whole_number(params, "before"), whole_number(params, "after")
        except BadParameterError as error:
            return _bad_parameter(error.name)
        days, rows = self._markets.candles(listing)
        is_open = days == self._served.today()
        chosen = ~is_open if is_history else days > self._served.today() - _RECENT_BARS
        opens = opens_of(self._markets, days)
        # Both bounds are exclusive, and of too many rows the newest come: `before` alone does not page forward.
        chosen &= (opens > before) if before is not None else True
        chosen &= (opens < after) if after is not None else True
        newest = np.flatnonzero(chosen)[::-1][: min(limit, _LARGEST_PAGE)]
        return _answer([self._candle(listing, int(opens[i]), rows[i], is_closed=not is_open[i]) for i in newest])

    def _candle(self, listing: Listing, opened: int, row: NDArray[np.float64], *, is_closed: bool) -> list[str]:
        *prices, volume = row.tolist()
        turnover = amount_text(volume * (prices[0] + prices[3]) / 2.0)
        texts = [price_text(listing, price) for price in prices]
        return [str(opened), *texts, amount_text(volume), turnover, turnover, "1" if is_closed else "0"]

    async def books(self, request: Request) -> Response:
        return self._books(request, largest=_BOOK)

    async def books_full(self, request: Request) -> Response:
        return self._books(request, largest=_FULL_BOOK)

    def _books(self, request: Request, *, largest: int) -> Response:
        listing = self._find(request)
        if listing is None:
            return _unknown_instrument()
        try:
            size = whole_number(request.query_params, "sz") or 1
        except BadParameterError as error:
            return _bad_parameter(error.name)
        if size > largest:
            return _bad_parameter("sz")
        book = order_book(self._markets, listing)
        orders = ["2"] if largest == _FULL_BOOK else ["0", "2"]  # the full book leaves out the deprecated column
        sides = {
            name: [level + orders for level in level_texts(listing, levels[:size])]
            for name, levels in (("asks", book.asks), ("bids", book.bids))
        }
        return _answer([{**sides, "ts": str(self._served.clock.milliseconds)}])

    # -- perpetuals ------------------------------------------------------------------------------------------------

    async def funding_rate(self, request: Request) -> Response:
        if request.query_params.get("instId") == "ANY":
            return _answer([self._funding_row(contract) for contract in self._perpetuals.trading()])
        contract = self._find_contract(request)
        return _unknown_instrument() if contract is None else _answer([self._funding_row(contract)])

    async def funding_rate_history(self, request: Request) -> Response:
        contract, params = self._find_contract(request), request.query_params
        if contract is None:
            return _unknown_instrument()
        try:
            limit = whole_number(params, "limit") or _FUNDING_PAGE
            before, after = whole_number(params, "before"), whole_number(params, "after")
        except BadParameterError as error:
            return _bad_parameter(error.name)
        times = self._perpetuals.funding_times(contract)
        chosen = times > max(before or 0, self._served.clock.milliseconds - _FUNDING_DAYS * MILLISECONDS_A_DAY)
        chosen &= (times < after) if after is not None else True
        times = times[chosen][::-1][: min(limit, _FUNDING_PAGE)]
        rates = self._perpetuals.funding_rates(contract, times)
        return _answer(
            [
                {
                    "instType": "SWAP",
                    "instId": _swap_id(contract),
                    "fundingRate": f"{rate:.10f}",
                    "realizedRate": f"{rate:.10f}",
                    "fundingTime": str(time),
                    "method": "current_period",
                    "formulaType": "withRate",
                }
                for time, rate in zip(times.tolist(), rates.tolist(), strict=True)
            ]
        )

    async def open_interest(self, request: Request) -> Response:
        if request.query_params.get("instType") != "SWAP":
            return _bad_parameter("instType")
        contracts = self._perpetuals.trading()
        if wanted := request.query_params.get("instId"):
            contracts = [contract for contract in contracts if _swap_id(contract) == wanted]
            if not contracts:
                return _unknown_instrument()
        now = self._served.clock.milliseconds
        rows = []
        for contract in contracts:
            _, contracts_open, tokens, usd = self._open_interest_rows(contract, np.array([now]))[0]
            sizes = {"oi": contracts_open, "oiCcy": tokens, "oiUsd": usd}
            rows.append({"instId": _swap_id(contract), "instType": "SWAP", **sizes, "ts": str(now)})
        return _answer(rows)

    async def open_interest_history(self, request: Request) -> Response:
        contract, params = self._find_contract(request), request.query_params
        if contract is None:
            return _unknown_instrument()
        hour = MILLISECONDS_A_DAY // 24
        steps = {_DAILY: (MILLISECONDS_A_DAY, 0), "1D": (MILLISECONDS_A_DAY, -8 * hour), "1H": (hour, 0)}
        if params.get("period", "") not in steps:
            return _bad_parameter("period")
        step, shift = steps[params["period"]]  # a plain day is one of Hong Kong, eight hours ahead
        try:
            limit = whole_number(params, "limit") or _STATISTICS_PAGE
            begin, end = whole_number(params, "begin"), whole_number(params, "end")
        except BadParameterError as error:
            return _bad_parameter(error.name)
        last = min(self._served.clock.milliseconds, int(self._served.milliseconds_at(contract.listing.last_day + 1)))
        times = np.arange(int(self._served.milliseconds_at(contract.first_day)) + step + shift, last + 1, step)
        chosen = times > (begin or 0)
        chosen &= (times < end) if end is not None else True
        return _answer(self._open_interest_rows(contract, times[chosen][::-1][: min(limit, _STATISTICS_PAGE)]))

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, request: Request) -> Listing | None:
        base, _, quote = request.query_params.get("instId", "").partition("-")
        listing = self._markets.find(base)
        return listing if listing and quote == OKX.quote and self._markets.is_trading(listing) else None

    def _find_contract(self, request: Request) -> Perpetual | None:
        wanted = request.query_params.get("instId", "")
        contract = self._perpetuals.find(wanted.partition("-")[0])
        if contract is None or _swap_id(contract) != wanted or not self._perpetuals.is_trading(contract):
            return None
        return contract

    def _spot_row(self, listing: Listing) -> dict[str, Any]:
        return {
            "instType": "SPOT",
            "instId": _spot_id(listing),
            "baseCcy": listing.base,
            "quoteCcy": OKX.quote,
            "settleCcy": "",
            "ctVal": "",
            "ctMult": "",
            "ctValCcy": "",
            "ctType": "",
            "uly": "",
            "instFamily": "",
            "expTime": "",
            "lever": "",
            "listTime": str(self._served.milliseconds_at(listing.first_day)),
            "tickSz": tick_text(listing),
            "lotSz": "0.00000001",
            "minSz": "0.00001",
            "maxLmtSz": "9999999999",
            "maxMktSz": "1000000",
            "state": "live",
        }

    def _swap_row(self, contract: Perpetual) -> dict[str, Any]:
        listing = contract.listing
        return {
            **self._spot_row(listing),
            "instType": "SWAP",
            "instId": _swap_id(contract),
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": OKX.quote,
            "ctVal": f"{contract.contract_size:.10g}",
            "ctMult": "1",
            "ctValCcy": listing.base,
            "ctType": "linear",
            "uly": _spot_id(listing),
            "instFamily": _spot_id(listing),
            "lever": "50",
            "listTime": str(self._served.milliseconds_at(contract.first_day)),
            "lotSz": "0.01",
            "minSz": "0.01",
        }

    def _ticker_rows(self, listings: list[Listing]) -> list[dict[str, Any]]:
        now = str(self._served.clock.milliseconds)
        quotations = self._markets.quotations(listings)
        return [self._ticker_row(each, quoted, now) for each, quoted in zip(listings, quotations, strict=True)]

    def _ticker_row(self, listing: Listing, quoted: Quotation, now: str) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        return {
            "instType": "SPOT",
            "instId": _spot_id(listing),
            "last": price_text(listing, quoted.last),
            "lastSz": amount_text(150.0 / quoted.last),
            "askPx": price_text(listing, ask),
            "askSz": amount_text(600.0 / quoted.last),
            "bidPx": price_text(listing, bid),
            "bidSz": amount_text(600.0 / quoted.last),
            "open24h": price_text(listing, quoted.opened),
            "high24h": price_text(listing, quoted.high),
            "low24h": price_text(listing, quoted.low),
            "volCcy24h": amount_text(quoted.quote_volume),
            "vol24h": amount_text(quoted.base_volume),
            "ts": now,
            "sodUtc0": price_text(listing, quoted.opened),
            "sodUtc8": price_text(listing, quoted.opened),
        }

    def _funding_row(self, contract: Perpetual) -> dict[str, Any]:
        coming = self._perpetuals.next_funding_time(contract)
        step = contract.interval_hours * MILLISECONDS_A_DAY // 24
        rate = float(self._perpetuals.funding_rates(contract, np.array([coming]))[0])
        return {
            "instType": "SWAP",
            "instId": _swap_id(contract),
            "fundingRate": f"{rate:.10f}",
            "fundingTime": str(coming),
            "nextFundingRate": "",
            "nextFundingTime": str(coming + step),
            "minFundingRate": "-0.0075",
            "maxFundingRate": "0.0075",
            "method": "current_period",
            "ts": str(self._served.clock.milliseconds),
        }

    def _open_interest_rows(self, contract: Perpetual, times: NDArray[np.int64]) -> list[list[str]]:
        """Time, contracts, tokens, USD."""
        usd = self._perpetuals.open_interest_usd(contract, times)
        tokens = usd / self._perpetuals.price_usd(contract, times)
        columns = (times.tolist(), (tokens / contract.contract_size).tolist(), tokens.tolist(), usd.tolist())
        return [
            [str(time), f"{count:.2f}", amount_text(base), f"{value:.2f}"]
            for time, count, base, value in zip(*columns, strict=True)
        ]


def _spot_id(listing: Listing) -> str:
    return f"{listing.base}-{OKX.quote}"


def _swap_id(contract: Perpetual) -> str:
    return f"{_spot_id(contract.listing)}-SWAP"


def _envelope(data: list[Any], code: str = "0", message: str = "") -> dict[str, Any]:
    return {"code": code, "msg": message, "data": data}


def _answer(data: list[Any]) -> Response:
    return json_answer(_envelope(data))


def _bad_parameter(name: str) -> Response:
    return json_answer(_envelope([], "51000", f"Parameter {name} error"))


def _unknown_instrument() -> Response:
    return json_answer(_envelope([], "51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist."))
