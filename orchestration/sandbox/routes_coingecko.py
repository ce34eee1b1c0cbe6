"""CoinGecko v3: routes, parameters and errors; numbers are JSON numbers, and many may be null.

Belongs here: the endpoints of api.coingecko.com. Does not: charts (`coingecko_charts.py`), the rows of coins
(`coingecko_coins.py`), which days exist (`served.py`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.categories import CATEGORY_NAMES
from orchestration.sandbox.coingecko_charts import ChartSpan, render_chart
from orchestration.sandbox.coingecko_coins import (
    category_row,
    coin_document,
    global_document,
    list_row,
    market_row,
)
from orchestration.sandbox.coingecko_developers import DeveloperCounts
from orchestration.sandbox.served import Moment, ServedMarket

HOST = "api.coingecko.com"
HOSTS = (HOST,)
BLOCKED_STATUS = 403
LIMITS = (6, 60.0)
"""Without a key: a burst was met with 429 after six requests, and `Retry-After: 60`."""

_PUBLIC_DAYS = 365
_LARGEST_PAGE = 250
_DEFAULT_PAGE = 100
_ORDERS = ("market_cap_desc", "market_cap_asc", "volume_desc", "volume_asc", "id_asc", "id_desc")
_MESSAGES = {
    403: "Access denied.",
    429: "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to see our API plans.",
}


class _RefusedError(Exception):
    def __init__(self, status: int, content: dict[str, Any]) -> None:
        super().__init__(str(content))
        self.status = status
        self.content = content


def error_body(status: int) -> dict[str, Any]:
    """What CoinGecko says under an HTTP status."""
    return {"status": {"error_code": status, "error_message": _MESSAGES.get(status, "Internal server error.")}}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host; without full history charts end 365 days ago as for everybody without a paid plan."""
    coingecko = _CoinGecko(served)
    routes = {
        "/ping": coingecko.ping,
        "/coins/list": coingecko.coins_list,
        "/coins/markets": coingecko.coins_markets,
        "/coins/categories/list": coingecko.categories_list,
        "/coins/categories": coingecko.categories,
        "/global": coingecko.global_totals,
        "/coins/{coin_id}/market_chart/range": coingecko.market_chart_range,
        "/coins/{coin_id}/market_chart": coingecko.market_chart,
        "/coins/{coin_id}": coingecko.coin,
        "/{rest:path}": coingecko.unknown_path,
    }
    return [Route(f"/api/v3{path}", _refusing(endpoint)) for path, endpoint in routes.items()]


class _CoinGecko:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served

    @cached_property
    def _developers(self) -> DeveloperCounts:
        return DeveloperCounts(self._served)

    async def ping(self, request: Request) -> Response:
        return _answer({"gecko_says": "(V3) To the Moon!"})

    async def unknown_path(self, request: Request) -> Response:
        raise _RefusedError(404, {"error": "Incorrect path. Please check https://www.coingecko.com/api/"})

    async def coins_list(self, request: Request) -> Response:
        """Every coin that trades, or every one that no longer does."""
        status = request.query_params.get("status", "active")
        has_platforms = request.query_params.get("include_platform") == "true"
        shown = {"active": self._served.is_alive, "inactive": self._served.is_gone}.get(status)
        if shown is None:
            raise _RefusedError(400, {"error": f"invalid status {status}"})
        members = self._served.members
        rows = [list_row(token, include_platform=has_platforms) for index, token in enumerate(members) if shown(index)]
        return _answer(sorted(rows, key=lambda row: row["id"]))

    async def coins_markets(self, request: Request) -> Response:
        """One page of coins with their present state."""
        params = request.query_params
        _require_usd(request)
        per_page, page = _positive(params.get("per_page"), _DEFAULT_PAGE), _positive(params.get("page"), 1)
        per_page = min(per_page, _LARGEST_PAGE)
        order = params.get("order", _ORDERS[0])
        if order not in _ORDERS:
            raise _RefusedError(422, {"error": "Invalid order"})
        moment = self._served.moment()
        ranks = _cap_ranks(moment)
        chosen = self._chosen(request, moment)
        chosen.sort(key=self._sort_key(order, moment), reverse=order.endswith("_desc"))
        shown = chosen[(page - 1) * per_page : page * per_page]
        windows = [window for window in params.get("price_change_percentage", "").split(",") if window]
        has_sparkline = params.get("sparkline") == "true"
        rows = [
            market_row(self._served, index, moment, rank=ranks.get(index), windows=windows, has_sparkline=has_sparkline)
            for index in shown
        ]
        return _answer(rows, headers={"total": str(len(chosen)), "per-page": str(per_page)})

    async def categories_list(self, request: Request) -> Response:
        """Ids and names of all categories."""
        return _answer([{"category_id": category, "name": name} for category, name in sorted(CATEGORY_NAMES.items())])

    async def categories(self, request: Request) -> Response:
        """All categories with their totals, largest first."""
        moment = self._served.moment()
        rows = [category_row(self._served, category, moment) for category in CATEGORY_NAMES]
        return _answer(sorted(rows, key=lambda row: -(row["market_cap"] or 0.0)))

    async def global_totals(self, request: Request) -> Response:
        """Totals of the whole market."""
        moment = self._served.moment()
        if not moment.is_alive.any():
            raise _RefusedError(404, {"error": "no market yet"})
        return _answer(global_document(self._served, moment))

    async def coin(self, request: Request) -> Response:
        """One coin with its categories, links and present state."""
        index = self._known(request)
        moment = self._served.moment()
        rank = _cap_ranks(moment).get(index)
        document = coin_document(
            self._served, index, moment, rank=rank, developers=self._developers, params=request.query_params
        )
        return _answer(document)

    async def market_chart(self, request: Request) -> Response:
        """Prices, caps and volumes of the last `days` days and now."""
        index = self._known(request)
        _require_usd(request)
        text = request.query_params.get("days")
        if not text:
            raise _RefusedError(422, {"error": "Missing parameter days"})
        try:
            days = float("inf") if text == "max" else float(text)
        except ValueError as error:
            raise _RefusedError(422, {"error": "Invalid days"}) from error
        now = self._served.instant()
        self._hold_to_public_days(now - days)
        return self._chart(request, index, ChartSpan(first=now - days, last=now, includes_now=True))

    async def market_chart_range(self, request: Request) -> Response:
        """Prices, caps and volumes between two UNIX times in seconds."""
        index = self._known(request)
        _require_usd(request)
        try:
            bounds = [self._served.day_at(1_000.0 * float(request.query_params[name])) for name in ("from", "to")]
        except (KeyError, ValueError) as error:
            raise _RefusedError(422, {"error": "Missing parameter from or to"}) from error
        first, last = bounds
        self._hold_to_public_days(first)
        now = self._served.instant()
        return self._chart(request, index, ChartSpan(first=first, last=min(last, now), includes_now=last >= now))

    # -- parameters ------------------------------------------------------------------------------------------------

    def _known(self, request: Request) -> int:
        index = self._served.index_of.get(request.path_params["coin_id"])
        if index is None or not self._served.is_born(index):
            raise _RefusedError(404, {"error": "coin not found"})
        return index

    def _chosen(self, request: Request, moment: Moment) -> list[int]:
        """Coins asked for by category, else by id, else by symbol, else all; unknown ones are dropped silently."""
        params, members = request.query_params, self._served.members
        alive = [int(index) for index in np.flatnonzero(moment.is_alive)]
        if category := params.get("category"):
            if category not in CATEGORY_NAMES:
                raise _RefusedError(404, {"error": "category not found"})
            return [index for index in alive if category in members[index].categories]
        if ids := params.get("ids"):
            asked = set(ids.split(","))
            return [index for index in alive if members[index].coin_id in asked]
        if symbols := params.get("symbols"):
            asked = {symbol.upper() for symbol in symbols.split(",")}
            return [index for index in alive if members[index].symbol in asked]
        return alive

    def _sort_key(self, order: str, moment: Moment) -> Callable[[int], Any]:
        members = self._served.market.members
        if order.startswith("market_cap"):
            return lambda index: (float(moment.cap[index]), members[index].coin_id)
        if order.startswith("volume"):
            return lambda index: (float(moment.volume[index]), members[index].coin_id)
        return lambda index: members[index].coin_id

    def _hold_to_public_days(self, first: float) -> None:
        if not self._served.full_history and first < self._served.instant() - _PUBLIC_DAYS - 0.01:
            message = (
                "Your request exceeds the allowed time range. Public API users are limited to querying historical data "
                "within the past 365 days. Upgrade to a paid plan to enjoy full historical data access."
            )
            status = {"timestamp": self._served.clock.now.isoformat(), "error_code": 10012, "error_message": message}
            raise _RefusedError(401, {"error": {"status": status}})

    def _chart(self, request: Request, index: int, span: ChartSpan) -> Response:
        is_daily = request.query_params.get("interval") == "daily"
        return Response(render_chart(self._served, index, span, is_daily=is_daily), media_type="application/json")


def _cap_ranks(moment: Moment) -> dict[int, int]:
    """Rank of each coin with a market cap, 1 for the largest."""
    ranked = [int(index) for index in np.argsort(-np.nan_to_num(moment.cap), kind="stable") if moment.cap[index] > 0]
    return {index: rank for rank, index in enumerate(ranked, start=1)}


def _require_usd(request: Request) -> None:
    currency = request.query_params.get("vs_currency")
    if not currency:
        raise _RefusedError(422, {"error": "Missing parameter vs_currency"})
    if currency.lower() != "usd":
        raise _RefusedError(400, {"error": "invalid vs_currency"})


def _positive(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise _RefusedError(422, {"error": f"Invalid number {text}"})
    return int(text)


def _refusing(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await endpoint(request)
        except _RefusedError as refusal:
            return Response(json.dumps(refusal.content), refusal.status, media_type="application/json")

    return answer_or_refuse


def _answer(content: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content), media_type="application/json", headers=headers)
