"""Gate v4: spot pairs, tickers, candles and books; perpetual contracts, funding and their statistics.

Bare arrays of texts. Spot candles have the order time (seconds), QUOTE volume, CLOSE, HIGH, LOW, OPEN, base volume,
closed, oldest first; a range of more than 1,000 of them is refused, and so is a range together with `limit`.

Belongs here: the wire format of api.gateio.ws. Does not: which candles exist (`exchange_markets.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.exchange_books import order_book
from orchestration.sandbox.exchange_listings import GATE, Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets, Quotation
from orchestration.sandbox.exchange_perpetuals import Perpetual, Perpetuals
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

HOSTS = ("api.gateio.ws",)
BLOCKED_STATUS = 403
LIMITS = tuple(
    RequestLimit(200, 10.0, path=path)
    for path in (
        "/currency_pairs",
        "/currencies",
        "/spot/tickers",
        "/candlesticks",
        "/order_book",
        "/contracts",
        "/funding_rate",
        "/contract_stats",
    )
)
"""200 in 10 seconds for each path (comments of ccxt 4.5.90)."""

_LARGEST_RANGE, _DEFAULT_PAGE = 1000, 100
_BOOK, _DEFAULT_BOOK = 1000, 10
_FUNDING_PAGE, _DEFAULT_FUNDING_PAGE = 1000, 100
_STATISTICS_PAGE, _DEFAULT_STATISTICS_PAGE = 100, 30
_PERIODS = {"1d": SECONDS_A_DAY, "4h": SECONDS_A_DAY // 6, "1h": SECONDS_A_DAY // 24}


def error_body(status: int) -> dict[str, Any]:
    """What Gate says under an HTTP status."""
    if status == 429:
        return {"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"}
    if status == BLOCKED_STATUS:
        return {"label": "FORBIDDEN", "message": "Service is not available in your country or region"}
    return {"label": "SERVER_ERROR", "message": "Internal server error"}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    gate, root = _Gate(served), "/api/v4"
    return [
        Route(f"{root}/spot/time", gate.time),
        Route(f"{root}/spot/currencies", gate.currencies),
        Route(f"{root}/margin/currency_pairs", gate.margin_pairs),
        Route(f"{root}/spot/currency_pairs", gate.pairs),
        Route(f"{root}/spot/tickers", gate.tickers),
        Route(f"{root}/spot/candlesticks", gate.candles),
        Route(f"{root}/spot/order_book", gate.book),
        Route(f"{root}/futures/{{settle}}/contracts", gate.contracts),
        Route(f"{root}/futures/{{settle}}/contracts/{{contract}}", gate.contract),
        Route(f"{root}/futures/{{settle}}/funding_rate", gate.funding_rate),
        Route(f"{root}/futures/{{settle}}/contract_stats", gate.contract_stats),
    ]


class _Gate:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._markets = ExchangeMarkets(served, GATE)
        self._perpetuals = Perpetuals(self._markets)

    async def time(self, request: Request) -> Response:
        return json_answer({"server_time": self._served.clock.milliseconds})

    # -- spot ------------------------------------------------------------------------------------------------------

    async def currencies(self, request: Request) -> Response:
        members = self._served.members
        rows = [
            self._currency_row(each.base, members[each.index].name, is_delisted=not self._markets.is_trading(each))
            for each in self._markets.visible()
        ]
        return json_answer([*rows, self._currency_row("USDT", "Tether", is_delisted=False)])

    async def margin_pairs(self, request: Request) -> Response:
        return json_answer([])

    async def pairs(self, request: Request) -> Response:
        members = self._served.members
        return json_answer([self._pair_row(each, members[each.index].name) for each in self._markets.visible()])

    async def tickers(self, request: Request) -> Response:
        listings = self._markets.trading()
        if wanted := request.query_params.get("currency_pair"):
            listings = [listing for listing in listings if _pair_id(listing) == wanted]
            if not listings:
                return _unknown_pair(wanted)
        quotations = self._markets.quotations(listings)
        return json_answer([self._ticker_row(each, quoted) for each, quoted in zip(listings, quotations, strict=True)])

    async def candles(self, request: Request) -> Response:
        params = request.query_params
        listing = self._find(params.get("currency_pair", ""))
        if listing is None:
            return _unknown_pair(params.get("currency_pair", ""))
        if params.get("interval") != "1d":
            return _refused("invalid argument: interval")
        try:
            limit, start, end = (whole_number(params, name) for name in ("limit", "from", "to"))
        except BadParameterError as error:
            return _refused(f"invalid argument: {error.name}")
        if limit is not None and (limit > _LARGEST_RANGE or start is not None):
            return _refused("limit conflicts with from, or is larger than 1000")
        now = self._served.clock.milliseconds // 1000
        last = now if end is None else end
        if start is not None and (last - start) // SECONDS_A_DAY + 1 > _LARGEST_RANGE:
            return _refused("Candlestick range too broad. Maximum 1000 data points are allowed")
        days, rows = self._markets.candles(listing)
        opens = opens_of(self._markets, days) // 1000
        chosen = np.flatnonzero((opens >= (start or 0)) & (opens <= last))
        if start is None:
            chosen = chosen[-(limit or _DEFAULT_PAGE) :]
        today = self._served.today()
        return json_answer(
            [self._candle(listing, int(opens[i]), rows[i].tolist(), is_closed=bool(days[i] < today)) for i in chosen]
        )

    def _candle(self, listing: Listing, opened: int, row: list[float], *, is_closed: bool) -> list[str]:
        prices = [price_text(listing, row[column]) for column in (3, 1, 2, 0)]
        turnover = amount_text(row[4] * (row[0] + row[3]) / 2.0)
        return [str(opened), turnover, *prices, amount_text(row[4]), "true" if is_closed else "false"]

    async def book(self, request: Request) -> Response:
        params = request.query_params
        listing = self._find(params.get("currency_pair", ""))
        if listing is None or not self._markets.is_trading(listing):
            return _unknown_pair(params.get("currency_pair", ""))
        try:
            limit = whole_number(params, "limit") or _DEFAULT_BOOK
        except BadParameterError as error:
            return _refused(f"invalid argument: {error.name}")
        if limit > _BOOK:
            return _refused("invalid argument: limit")
        book, now = order_book(self._markets, listing), self._served.clock.milliseconds
        sides = {
            name: level_texts(listing, levels[:limit]) for name, levels in (("asks", book.asks), ("bids", book.bids))
        }
        number = {"id": now} if params.get("with_id", "").lower() == "true" else {}
        return json_answer({**number, "current": now, "update": now, **sides})

    # -- perpetuals ------------------------------------------------------------------------------------------------

    async def contracts(self, request: Request) -> Response:
        contracts = self._perpetuals.trading() if request.path_params["settle"] == "usdt" else []
        quotations = self._markets.quotations([contract.listing for contract in contracts])
        return json_answer(
            [self._contract_row(contract, quoted) for contract, quoted in zip(contracts, quotations, strict=True)]
        )

    async def contract(self, request: Request) -> Response:
        contract = self._find_contract(request, request.path_params["contract"])
        if contract is None:
            return _unknown_contract()
        return json_answer(self._contract_row(contract, self._markets.quotations([contract.listing])[0]))

    async def funding_rate(self, request: Request) -> Response:
        params = request.query_params
        contract = self._find_contract(request, params.get("contract", ""))
        if contract is None:
            return _unknown_contract()
        try:
            limit, start, end = (whole_number(params, name) for name in ("limit", "from", "to"))
        except BadParameterError as error:
            return _refused(f"invalid argument: {error.name}")
        times = self._perpetuals.funding_times(contract)
        seconds = times // 1000
        times = times[(seconds >= (start or 0)) & ((seconds <= end) if end is not None else True)]
        times = times[::-1][: min(limit or _DEFAULT_FUNDING_PAGE, _FUNDING_PAGE)]
        rates = self._perpetuals.funding_rates(contract, times)
        return json_answer(
            [
                {"r": f"{rate:.10f}", "t": time // 1000}
                for time, rate in zip(times.tolist(), rates.tolist(), strict=True)
            ]
        )

    async def contract_stats(self, request: Request) -> Response:
        params = request.query_params
        contract = self._find_contract(request, params.get("contract", ""))
        if contract is None:
            return _unknown_contract()
        step = _PERIODS.get(params.get("interval", "1h"))
        try:
            limit, start = whole_number(params, "limit"), whole_number(params, "from")
        except BadParameterError as error:
            return _refused(f"invalid argument: {error.name}")
        if step is None or (limit or 0) > _STATISTICS_PAGE:
            return _refused("invalid argument: interval or limit")
        first = int(self._served.milliseconds_at(contract.first_day)) // 1000 + step
        seconds = np.arange(first, self._served.clock.milliseconds // 1000 + 1, step)
        count = limit or _DEFAULT_STATISTICS_PAGE
        seconds = seconds[-count:] if start is None else seconds[seconds >= start][:count]
        return json_answer(self._statistics(contract, seconds))

    # -- rows ------------------------------------------------------------------------------------------------------

    def _find(self, pair: str) -> Listing | None:
        base, _, quote = pair.partition("_")
        return self._markets.find(base) if quote == GATE.quote else None

    def _find_contract(self, request: Request, name: str) -> Perpetual | None:
        contract = self._perpetuals.find(name.partition("_")[0])
        if contract is None or request.path_params["settle"] != "usdt" or _pair_id(contract.listing) != name:
            return None
        return contract if self._perpetuals.is_trading(contract) else None

    def _currency_row(self, code: str, name: str, *, is_delisted: bool) -> dict[str, Any]:
        return {
            "currency": code,
            "name": name,
            "delisted": is_delisted,
            "withdraw_disabled": is_delisted,
            "withdraw_delayed": False,
            "deposit_disabled": is_delisted,
            "trade_disabled": is_delisted,
            "fixed_rate": "",
            "chain": "ETH",
            "chains": [],
        }

    def _pair_row(self, listing: Listing, name: str) -> dict[str, Any]:
        is_trading = self._markets.is_trading(listing)
        ended = int(self._served.milliseconds_at(listing.last_day + 1)) // 1000
        return {
            "id": _pair_id(listing),
            "base": listing.base,
            "base_name": name,
            "quote": GATE.quote,
            "quote_name": "Tether",
            "fee": "0.2",
            "min_base_amount": "0.00001",
            "min_quote_amount": "3",
            "max_quote_amount": "5000000",
            "amount_precision": 8,
            "precision": listing.decimals,
            "trade_status": "tradable" if is_trading else "untradable",
            "sell_start": int(self._served.milliseconds_at(listing.first_day)) // 1000,
            "buy_start": int(self._served.milliseconds_at(listing.first_day)) // 1000,
            "delisting_time": 0 if is_trading else ended,
            "type": "normal",
            "trade_url": f"https://www.gate.com/trade/{_pair_id(listing)}",
            "st_tag": False,
        }

    def _ticker_row(self, listing: Listing, quoted: Quotation) -> dict[str, Any]:
        bid, ask = quoted.bid_ask()
        return {
            "currency_pair": _pair_id(listing),
            "last": price_text(listing, quoted.last),
            "lowest_ask": price_text(listing, ask),
            "lowest_size": amount_text(600.0 / quoted.last),
            "highest_bid": price_text(listing, bid),
            "highest_size": amount_text(600.0 / quoted.last),
            "change_percentage": f"{100.0 * (quoted.last / quoted.opened - 1.0):.2f}",
            "base_volume": amount_text(quoted.base_volume),
            "quote_volume": amount_text(quoted.quote_volume),
            "high_24h": price_text(listing, quoted.high),
            "low_24h": price_text(listing, quoted.low),
        }

    def _contract_row(self, contract: Perpetual, quoted: Quotation) -> dict[str, Any]:
        listing, coming = contract.listing, self._perpetuals.next_funding_time(contract)
        rate = float(self._perpetuals.funding_rates(contract, np.array([coming]))[0])
        now = np.array([self._served.clock.milliseconds // 1000])
        return {
            "name": _pair_id(listing),
            "type": "direct",
            "quanto_multiplier": f"{contract.contract_size:.10g}",
            "mark_type": "index",
            "last_price": price_text(listing, quoted.last),
            "mark_price": price_text(listing, quoted.last),
            "index_price": price_text(listing, quoted.last),
            "funding_rate": f"{rate:.10f}",
            "funding_rate_indicative": f"{rate:.10f}",
            "funding_interval": contract.interval_hours * SECONDS_A_DAY // 24,
            "funding_next_apply": coming // 1000,
            "funding_offset": 0,
            "interest_rate": "0.0003",
            "mark_price_round": f"{10.0**-listing.decimals:.{listing.decimals}f}",
            "order_price_round": f"{10.0**-listing.decimals:.{listing.decimals}f}",
            "order_price_deviate": "0.5",
            "order_size_min": 1,
            "order_size_max": 1_000_000,
            "enable_decimal": False,
            "leverage_min": "1",
            "leverage_max": "50",
            "maintenance_rate": "0.005",
            "maker_fee_rate": "-0.0001",
            "taker_fee_rate": "0.00075",
            "position_size": self._statistics(contract, now)[0]["open_interest"],
            "in_delisting": False,
            "status": "trading",
            "create_time": int(self._served.milliseconds_at(contract.first_day)) // 1000,
        }

    def _statistics(self, contract: Perpetual, seconds: np.ndarray) -> list[dict[str, Any]]:
        times = seconds * 1000
        usd = self._perpetuals.open_interest_usd(contract, times)
        price = self._perpetuals.price_usd(contract, times)
        columns = (seconds.tolist(), usd.tolist(), price.tolist(), (usd / price / contract.contract_size).tolist())
        return [
            {
                "time": time,
                "open_interest": round(count),
                "open_interest_usd": round(value, 4),
                "mark_price": round(mark, contract.listing.decimals),
                "lsr_taker": 1.0,
                "lsr_account": 1.0,
                "long_liq_size": 0,
                "short_liq_size": 0,
                "long_liq_usd": 0,
                "short_liq_usd": 0,
            }
            for time, value, mark, count in zip(*columns, strict=True)
        ]


def _pair_id(listing: Listing) -> str:
    return f"{listing.base}_{GATE.quote}"


def _refused(message: str) -> Response:
    return json_answer({"label": "INVALID_PARAM_VALUE", "message": message}, 400)


def _unknown_pair(pair: str) -> Response:
    return json_answer({"label": "INVALID_CURRENCY_PAIR", "message": f"Invalid currency pair {pair}"}, 400)


def _unknown_contract() -> Response:
    return json_answer({"label": "CONTRACT_NOT_FOUND", "message": "Contract not found"}, 400)
