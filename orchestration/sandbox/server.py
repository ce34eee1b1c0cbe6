"""The sandbox server: an ASGI application whose first path segment is the provider's host.

`/api.binance.com/api/v3/klines` answers as `https://api.binance.com/api/v3/klines` would at the clock's instant.

Belongs here: routing by host, the request log, faults on the wire. Does not: the providers' formats (`routes_*.py`),
the thread that runs it (`runner.py`).
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.sandbox import routes_alternative_me, routes_binance, routes_coingecko, routes_coinmetrics
from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.faults import FaultKind, FaultPlan, FaultRule, damage_types
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.served import ServedMarket

PROVIDERS = {
    routes_binance.HOST: routes_binance,
    routes_binance.MIRROR_HOST: routes_binance,
    routes_coingecko.HOST: routes_coingecko,
    routes_coinmetrics.HOST: routes_coinmetrics,
    routes_alternative_me.HOST: routes_alternative_me,
}
"""Host to the module that speaks for it: `make_routes`, `error_body(status)` and `BLOCKED_STATUS`."""

_DRIPS = 20
_HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><h1>Checking your browser before accessing the site</h1></body></html>"
)


@dataclass(frozen=True)
class LoggedRequest:
    """One request as it was answered.

    Attributes:
        at_seconds: Monotonic time of its arrival.
        host: Provider host.
        path: Path without the host.
        query: Parameters as sent; of repeated ones the last.
        status: HTTP status, 0 where no answer was begun.
        fault: Kind of the fault that struck it, or None.
    """

    at_seconds: float
    host: str
    path: str
    query: dict[str, str]
    status: int
    fault: FaultKind | None = None


class SandboxApp:
    """The ASGI application.

    Attributes:
        clock: What is visible; settable.
        faults: Misbehaviour; settable.
        requests: Every request so far, in the order in which their answers began.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        clock: SandboxClock,
        *,
        full_history: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        """Serve a market.

        Args:
            market: What to serve.
            clock: The instant to serve it as of.
            full_history: Whether CoinGecko serves more than the last 365 days.
            faults: Misbehaviour; none by default.
        """
        self.market = market
        self.clock = clock
        self.faults = faults or FaultPlan()
        self.requests: list[LoggedRequest] = []
        served = ServedMarket(market, clock)
        self._router: ASGIApp = Starlette(
            routes=[
                Mount(f"/{routes_binance.HOST}", routes=routes_binance.make_routes(served)),
                Mount(f"/{routes_binance.MIRROR_HOST}", routes=routes_binance.make_routes(served)),
                Mount(
                    f"/{routes_coingecko.HOST}", routes=routes_coingecko.make_routes(served, full_history=full_history)
                ),
                Mount(f"/{routes_coinmetrics.HOST}", routes=routes_coinmetrics.make_routes(served)),
                Mount(f"/{routes_alternative_me.HOST}", routes=routes_alternative_me.make_routes(served)),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with the fault that strikes it if any."""
        if scope["type"] != "http":
            return
        arrived = time.monotonic()
        host, _, rest = scope["path"].lstrip("/").partition("/")
        path = f"/{rest}"
        rule = self.faults.decide(host, path)
        is_logged = False

        def log(status: int) -> None:
            nonlocal is_logged
            is_logged = True
            query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
            self.requests.append(LoggedRequest(arrived, host, path, query, status, rule.kind if rule else None))

        async def send_logged(message: Message) -> None:
            # Logged before the answer leaves, so that whoever has the answer finds the request in the log.
            if message["type"] == "http.response.start":
                log(message["status"])
            await send(message)

        try:
            if host not in PROVIDERS:
                unknown = {"error": f"the sandbox has no provider {host!r}; it has {', '.join(sorted(PROVIDERS))}"}
                await _json(unknown, 404)(scope, receive, send_logged)
            elif rule is None:
                await self._router(scope, receive, send_logged)
            else:
                await self._misbehave(rule, host, scope, receive, send_logged)
        finally:
            if not is_logged:
                log(0)

    async def _misbehave(self, rule: FaultRule, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        provider = PROVIDERS[host]
        match rule.kind:
            case FaultKind.RATE_LIMITED:
                await _json(provider.error_body(429), 429)(scope, receive, send)
            case FaultKind.RATE_LIMITED_RETRY_AFTER:
                headers = {"Retry-After": str(rule.retry_after_seconds)}
                await _json(provider.error_body(429), 429, headers)(scope, receive, send)
            case FaultKind.INTERNAL_ERROR:
                await Response("Internal Server Error", 500, media_type="text/plain")(scope, receive, send)
            case FaultKind.UNAVAILABLE:
                await Response("Service Unavailable", 503, media_type="text/plain")(scope, receive, send)
            case FaultKind.BLOCKED:
                status = provider.BLOCKED_STATUS
                await _json(provider.error_body(status), status)(scope, receive, send)
            case FaultKind.HTML_PAGE:
                await Response(_HTML_PAGE, media_type="text/html; charset=utf-8")(scope, receive, send)
            case FaultKind.ERROR_UNDER_200:
                await _json(provider.error_body(429), 200)(scope, receive, send)
            case FaultKind.TIMEOUT:
                await asyncio.sleep(rule.delay_seconds)
                await self._router(scope, receive, send)
            case FaultKind.TRUNCATED | FaultKind.DISCONNECTED | FaultKind.WRONG_TYPES | FaultKind.DRIP:
                await self._spoil(rule, scope, receive, send)

    async def _spoil(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the provider answer well, then spoil the body on its way out."""
        status, body = await self._good_answer(scope, receive)
        if rule.kind is FaultKind.TRUNCATED:
            await Response(body[: len(body) // 2], status, media_type="application/json")(scope, receive, send)
        elif rule.kind is FaultKind.WRONG_TYPES:
            damaged = damage_types(body, every=rule.damage_every)
            await Response(damaged, status, media_type="application/json")(scope, receive, send)
        else:
            await send(
                {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
            )
            if rule.kind is FaultKind.DISCONNECTED:
                # Returning without the end of the body makes the server drop the connection.
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                return
            step = max(1, -(-len(body) // _DRIPS))
            for start in range(0, len(body), step):
                await asyncio.sleep(rule.delay_seconds / _DRIPS)
                await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _good_answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        status, parts = 0, []

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self._router(scope, receive, keep)
        return status, b"".join(parts)


def create_app(
    market: SimulatedMarket, clock: SandboxClock, *, full_history: bool = True, faults: FaultPlan | None = None
) -> SandboxApp:
    """The ASGI application for a market and a clock, see `SandboxApp`."""
    return SandboxApp(market, clock, full_history=full_history, faults=faults)


def _json(content: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers=headers, media_type="application/json")
