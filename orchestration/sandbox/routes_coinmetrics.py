"""Coin Metrics Community v4: strings, nanosecond times, pages that walk backwards unless told otherwise.

A day's row appears 24 hours after the day's end; flows of the newest row carry the status `flash`.

Belongs here: the wire format, paging and errors of community-api.coinmetrics.io. Does not: the values (`activity.py`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.tokens import FULL_COVERAGE

HOST = "community-api.coinmetrics.io"
HOSTS = (HOST,)
LIMITS = (10, 6.0)
BLOCKED_STATUS = 403
PUBLICATION_LAG = timedelta(hours=24)
FORBIDDEN_METRICS = frozenset(
    {
        "CapRealUSD",
        "DiffMean",
        "FeeMeanUSD",
        "FeeTotUSD",
        "IssContNtv",
        "NVTAdj",
        "NVTAdj90",
        "RevUSD",
        "SOPR",
        "TxTfrValAdjUSD",
    }
)
"""Metrics that exist but need a key."""

_DEFAULT_PAGE, _LARGEST_PAGE = 100, 10_000
_STATUS_METRICS = ("FlowInExNtv", "FlowOutExNtv")
_RATE_HEADERS = {"x-ratelimit-limit": "6000;w=20", "x-ratelimit-remaining": "5999", "x-ratelimit-reset": "20"}
_TYPES = {400: "bad_parameter", 401: "unauthorized", 403: "forbidden", 429: "too_many_requests"}


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def error_body(status: int) -> dict[str, Any]:
    """What Coin Metrics says under an HTTP status."""
    return {
        "error": {
            "type": _TYPES.get(status, "internal_server_error"),
            "message": f"Request failed with status {status}.",
        }
    }


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    coin_metrics = _CoinMetrics(served)
    return [
        Route("/v4/catalog-v2/asset-metrics", coin_metrics.catalog),
        Route("/v4/timeseries/asset-metrics", coin_metrics.timeseries),
    ]


class _CoinMetrics:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._coverage = {
            token.symbol.lower(): token.coinmetrics_metrics
            for token in served.market.members
            if token.coinmetrics_metrics
        }
        self._rows = {
            str(asset): rows.sort("market_date").select("market_date", *FULL_COVERAGE).to_dicts()
            for (asset,), rows in served.market.on_chain.group_by("asset")
        }

    async def catalog(self, request: Request) -> Response:
        """Metrics each asset has, with the days they span."""
        try:
            assets = self._known_assets(request)
        except _RefusedError as refusal:
            return _refuse(refusal)
        data = [
            {"asset": asset, "metrics": [self._catalog_entry(asset, metric) for metric in self._coverage[asset]]}
            for asset in assets
        ]
        return _answer({"data": data})

    async def timeseries(self, request: Request) -> Response:
        """One page of rows; the others through `next_page_url`."""
        params = request.query_params
        try:
            assets = self._asked_assets(request)
            asked = self._asked_metrics(request, assets)
            rows = self._matching_rows(request, assets)
            page, token = _page(
                rows, params.get("page_size"), params.get("paging_from", "end"), params.get("next_page_token")
            )
        except _RefusedError as refusal:
            return _refuse(refusal)
        newest = self._newest_day()
        content: dict[str, Any] = {"data": [_row(asset, row, asked, newest) for asset, row in page]}
        if token:
            kept = [(name, value) for name, value in params.multi_items() if name != "next_page_token"]
            content["next_page_token"] = token
            content["next_page_url"] = (
                f"{request.url.replace(query='')}?{urlencode([*kept, ('next_page_token', token)])}"
            )
        return _answer(content)

    def _newest_day(self) -> date:
        """Newest market date that is published by now."""
        return (self._served.clock.now - PUBLICATION_LAG).date() - timedelta(days=1)

    def _catalog_entry(self, asset: str, metric: str) -> dict[str, Any]:
        days = [row["market_date"] for row in self._rows[asset] if row["market_date"] <= self._newest_day()]
        first, last = (days[0], days[-1]) if days else (self._served.market.settings.start,) * 2
        span = {"frequency": "1d", "min_time": _nanoseconds(first), "max_time": _nanoseconds(last), "community": True}
        return {"metric": metric, "frequencies": [span]}

    def _known_assets(self, request: Request) -> list[str]:
        asked = request.query_params.get("assets")
        if not asked:
            return sorted(self._coverage)
        return self._asked_assets(request)

    def _asked_assets(self, request: Request) -> list[str]:
        asked = request.query_params.get("assets", "")
        if not asked:
            raise _RefusedError(400, "Bad parameter 'assets'. Value is required.")
        if asked == "*":
            return sorted(self._coverage)
        assets = sorted(set(asked.lower().split(",")))
        for asset in assets:
            if asset not in self._coverage:
                raise _RefusedError(400, f"Bad parameter 'assets'. Value '{asset}' is not supported.")
        return assets

    def _asked_metrics(self, request: Request, assets: Sequence[str]) -> dict[str, list[str]]:
        """Metrics to serve by asset; what is forbidden or unsupported fails the whole request unless told otherwise."""
        params = request.query_params
        metrics = [metric for metric in params.get("metrics", "").split(",") if metric]
        if not metrics:
            raise _RefusedError(400, "Bad parameter 'metrics'. Value is required.")
        if params.get("frequency", "1d") != "1d":
            raise _RefusedError(400, f"Bad parameter 'frequency'. Value '{params['frequency']}' is not supported.")
        allowed: dict[str, list[str]] = {asset: [] for asset in assets}
        for metric in metrics:
            if metric not in FULL_COVERAGE and metric not in FORBIDDEN_METRICS:
                raise _RefusedError(400, f"Bad parameter 'metrics'. Value '{metric}' is not supported.")
            for asset in assets:
                if metric in self._coverage[asset]:
                    allowed[asset].append(metric)
                elif metric in FORBIDDEN_METRICS and not _is_true(params.get("ignore_forbidden_errors")):
                    raise _RefusedError(
                        403,
                        f"Requested metric '{metric}' with frequency '1d' for asset '{asset}' is not available with "
                        "supplied credentials.",
                    )
                elif metric not in FORBIDDEN_METRICS and not _is_true(params.get("ignore_unsupported_errors")):
                    raise _RefusedError(
                        400, f"Bad parameter 'metrics'. Metric '{metric}' is not supported for asset '{asset}'."
                    )
        return allowed

    def _matching_rows(self, request: Request, assets: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        params = request.query_params
        first, last = _day(params.get("start_time"), "start_time"), _day(params.get("end_time"), "end_time")
        newest = self._newest_day()
        matching: list[tuple[str, dict[str, Any]]] = []
        for asset in assets:
            rows = [
                (asset, row)
                for row in self._rows[asset]
                if row["market_date"] <= newest
                and (first is None or row["market_date"] >= first)
                and (last is None or row["market_date"] <= last)
            ]
            if per_asset := params.get("limit_per_asset"):
                count = _count(per_asset, "limit_per_asset")
                rows = rows[:count] if params.get("paging_from") == "start" else rows[-count:]
            matching.extend(rows)
        if params.get("sort") == "time":
            matching.sort(key=lambda pair: (pair[1]["market_date"], pair[0]))
        return matching


def _row(asset: str, row: dict[str, Any], asked: dict[str, list[str]], newest: date) -> dict[str, Any]:
    """A row in strings; what has no value is left out."""
    day: date = row["market_date"]
    shown: dict[str, Any] = {"asset": asset, "time": _nanoseconds(day)}
    for metric in asked[asset]:
        value = row[metric]
        if value is None:
            continue
        shown[metric] = str(int(value)) if metric in {"AdrActCnt", "TxCnt"} else f"{value:.12f}".rstrip("0").rstrip(".")
        if metric in _STATUS_METRICS:
            reviewed_at = datetime.combine(day, time(), tzinfo=UTC) + timedelta(days=2)
            shown[f"{metric}-status"] = "flash" if day == newest else "reviewed"
            shown[f"{metric}-status-time"] = f"{reviewed_at:%Y-%m-%dT%H:%M:%S}.123456000Z"
    return shown


def _page(
    rows: list[tuple[str, dict[str, Any]]], size_text: str | None, paging_from: str, token: str | None
) -> tuple[list[tuple[str, dict[str, Any]]], str | None]:
    """One page, ascending inside, and the token of the next. From the end, pages walk backwards."""
    size = min(_count(size_text, "page_size") if size_text else _DEFAULT_PAGE, _LARGEST_PAGE)
    if paging_from not in {"start", "end"}:
        raise _RefusedError(400, f"Bad parameter 'paging_from'. Value '{paging_from}' is not supported.")
    done = _read_token(token) if token else 0
    next_done = done + size
    last = len(rows)
    first_row, end_row = (
        (done, next_done) if paging_from == "start" else (max(0, last - next_done), max(0, last - done))
    )
    page = rows[first_row:end_row]
    return page, _write_token(next_done) if next_done < len(rows) else None


def _write_token(done: int) -> str:
    return "0." + base64.urlsafe_b64encode(str(done).encode()).decode().rstrip("=")


def _read_token(token: str) -> int:
    text = token.removeprefix("0.")
    try:
        return int(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _RefusedError(400, f"Bad parameter 'next_page_token'. Value '{token}' is not supported.") from error


def _count(text: str, name: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise _RefusedError(400, f"Bad parameter '{name}'. Value '{text}' is not supported.")
    return int(text)


def _day(text: str | None, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise _RefusedError(400, f"Bad parameter '{name}'. Value '{text}' is not supported.") from error


def _nanoseconds(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000000000Z"


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() == "true"


def _refuse(refusal: _RefusedError) -> Response:
    body = {"error": {"type": _TYPES[refusal.status], "message": str(refusal)}}
    return Response(json.dumps(body), refusal.status, media_type="application/json", headers=_RATE_HEADERS)


def _answer(content: Any) -> Response:
    return Response(json.dumps(content), media_type="application/json", headers=_RATE_HEADERS)
