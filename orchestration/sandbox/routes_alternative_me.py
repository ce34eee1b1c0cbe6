"""alternative.me's Fear & Greed index: all fields strings, newest first, seconds at 00:00 UTC of the stamped day.

A stamped day's value describes the days before it and is served from its first moment on.

Belongs here: the wire format of api.alternative.me. Does not: the values (`activity.py`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.served import ServedMarket

HOST = "api.alternative.me"
HOSTS = (HOST,)
LIMITS = (60, 60.0)
BLOCKED_STATUS = 403

_DATE_FORMATS = {"us": "%m-%d-%Y", "cn": "%Y/%m/%d", "kr": "%Y-%m-%d", "world": "%d-%m-%Y"}


def error_body(status: int) -> dict[str, Any]:
    """What the provider says under an HTTP status."""
    return {"name": "Fear and Greed Index", "data": [], "metadata": {"error": f"request failed with status {status}"}}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    rows = [
        (row["market_date"], str(row["value"]), row["classification"])
        for row in served.market.fear_greed.iter_rows(named=True)
        if row["is_served"]
    ]

    async def fear_greed(request: Request) -> Response:
        """Newest `limit` values; 0 for all; 1 by default."""
        try:
            limit = int(request.query_params.get("limit", 1))
        except ValueError:
            return Response(json.dumps(error_body(400)), 400, media_type="application/json")
        date_format = _DATE_FORMATS.get(request.query_params.get("date_format", ""))
        visible = [row for row in rows if row[0] <= served.clock.today][::-1]
        data: list[dict[str, str]] = []
        for day, value, classification in visible[: limit or None]:
            stamp = str(int(datetime.combine(day, time(), tzinfo=UTC).timestamp()))
            shown = day.strftime(date_format) if date_format else stamp
            data.append({"value": value, "value_classification": classification, "timestamp": shown})
        if data and not date_format:
            data[0]["time_until_update"] = str(int((1.0 - served.clock.day_fraction) * 86_400))
        content = {"name": "Fear and Greed Index", "data": data, "metadata": {"error": None}}
        return Response(json.dumps(content), media_type="application/json")

    return [Route("/fng/", fear_greed), Route("/fng", fear_greed)]
