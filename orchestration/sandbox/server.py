"""The sandbox server: an ASGI application whose first path segment is the provider's host.

`/api.binance.com/api/v3/klines` answers as `https://api.binance.com/api/v3/klines` would at the clock's instant.

Belongs here: routing by host, the request log, faults, limits and latency on the wire. Does not: the list of
providers (`providers.py`), their formats (`routes_*.py`), the thread that runs it (`runner.py`).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.damage import damage_times, damage_types, damage_values
from orchestration.sandbox.faults import FaultKind, FaultPlan, FaultRule
from orchestration.sandbox.lies import LIES, lying_market
from orchestration.sandbox.limits import HostLimiter, Refusal, busiest
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.providers import PROVIDERS
from orchestration.sandbox.served import ServedMarket

_DRIPS = 20
_DAMAGES = {
    FaultKind.WRONG_TYPES: damage_types,
    FaultKind.IMPOSSIBLE_VALUES: damage_values,
    FaultKind.FUTURE_TIMESTAMPS: damage_times,
}
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
        latency_seconds: Typical wait before an answer; settable.
        requests: Every request so far, in the order in which their answers began.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        clock: SandboxClock,
        *,
        full_history: bool = True,
        faults: FaultPlan | None = None,
        enforce_limits: bool = False,
        latency_seconds: float = 0.0,
    ) -> None:
        """Serve a market.

        Args:
            market: What to serve.
            clock: The instant to serve it as of.
            full_history: Whether CoinGecko serves more than the last 365 days.
            faults: Misbehaviour; none by default.
            enforce_limits: Whether hosts refuse those who ask more often than the providers allow.
            latency_seconds: Typical wait before an answer; a half to one and a half of it, the same for the n-th
                request each time.
        """
        self.market = market
        self.clock = clock
        self.faults = faults or FaultPlan()
        self.latency_seconds = latency_seconds
        self.requests: list[LoggedRequest] = []
        self._arrived = 0
        self._limiters = _make_limiters() if enforce_limits else {}
        self._served = ServedMarket(market, clock, full_history=full_history)
        self._router = _router_of(self._served)
        self._liars: dict[tuple[FaultKind, int], ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with the fault that strikes it if any."""
        if scope["type"] != "http":
            return
        arrived = time.monotonic()
        host, _, rest = scope["path"].lstrip("/").partition("/")
        path = f"/{rest}"
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        limiter = self._limiters.get(host)
        refusal = limiter.ask(arrived, path, query) if limiter else None
        rule = self.faults.decide(host, path) if refusal is None else None
        is_logged = False

        def log(status: int) -> None:
            nonlocal is_logged
            is_logged = True
            self.requests.append(LoggedRequest(arrived, host, path, query, status, rule.kind if rule else None))

        async def send_logged(message: Message) -> None:
            # Logged before the answer leaves, so that whoever has the answer finds the request in the log.
            if message["type"] == "http.response.start":
                log(message["status"])
            await send(message)

        try:
            await self._wait()
            if refusal is not None:
                await _refuse(host, refusal)(scope, receive, send_logged)
            elif host not in PROVIDERS:
                unknown = {"error": f"the sandbox has no provider {host!r}; it has {', '.join(sorted(PROVIDERS))}"}
                await _answer(unknown, 404)(scope, receive, send_logged)
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
                await _answer(provider.error_body(429), 429)(scope, receive, send)
            case FaultKind.RATE_LIMITED_RETRY_AFTER:
                headers = {"Retry-After": str(rule.retry_after_seconds)}
                await _answer(provider.error_body(429), 429, headers)(scope, receive, send)
            case FaultKind.INTERNAL_ERROR:
                await Response("Internal Server Error", 500, media_type="text/plain")(scope, receive, send)
            case FaultKind.UNAVAILABLE:
                await Response("Service Unavailable", 503, media_type="text/plain")(scope, receive, send)
            case FaultKind.BLOCKED:
                status = provider.BLOCKED_STATUS
                await _answer(provider.error_body(status), status)(scope, receive, send)
            case FaultKind.HTML_PAGE:
                await Response(_HTML_PAGE, media_type="text/html; charset=utf-8")(scope, receive, send)
            case FaultKind.ERROR_UNDER_200:
                await _answer(provider.error_body(429), 200)(scope, receive, send)
            case FaultKind.TIMEOUT:
                await asyncio.sleep(rule.delay_seconds)
                await self._router(scope, receive, send)
            case kind if kind in LIES:
                await self._liar(kind)(scope, receive, send)
            case _:
                await self._spoil(rule, scope, receive, send)

    def _liar(self, kind: FaultKind) -> ASGIApp:
        """What answers from a market that lies about the newest days of now."""
        today = self._served.today()
        if (kind, today) not in self._liars:
            lie = lying_market(self.market, kind, today=today)
            self._liars[kind, today] = _router_of(ServedMarket(lie, self.clock, full_history=self._served.full_history))
        return self._liars[kind, today]

    async def _wait(self) -> None:
        number, self._arrived = self._arrived, self._arrived + 1
        if self.latency_seconds > 0.0:
            await asyncio.sleep(jittered(self.latency_seconds, number))

    async def _spoil(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the provider answer well, then spoil the body on its way out; status and headers stay."""
        status, headers, body = await self._good_answer(scope, receive)
        content_type = dict(headers).get(b"content-type", b"").decode()
        if damage := _DAMAGES.get(rule.kind):
            await _send_whole(send, status, headers, damage(body, every=rule.damage_every, content_type=content_type))
            return
        if rule.kind is FaultKind.EMPTY_BODY:
            await _send_whole(send, status, headers, b"")
            return
        if rule.kind is FaultKind.TRUNCATED:
            await _send_whole(send, status, headers, body[: len(body) // 2])
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if rule.kind is FaultKind.DISCONNECTED:
            # Returning without the end of the body makes the server drop the connection.
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return
        step = max(1, -(-len(body) // _DRIPS))
        for start in range(0, len(body), step):
            await asyncio.sleep(rule.delay_seconds / _DRIPS)
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _good_answer(self, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers without the length, and body."""
        status, headers, parts = 0, [], []

        async def keep(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
            else:
                parts.append(message.get("body", b""))

        await self._router(scope, receive, keep)
        return status, headers, b"".join(parts)


def busiest_window(requests: Iterable[LoggedRequest], host: str, seconds: float, *, path: str = "") -> int:
    """Largest number of requests to a host within any window of some length, whatever became of them.

    Args:
        requests: The log, or a part of it.
        host: Provider host.
        seconds: Length of the window; its end does not belong to it.
        path: What the paths of the requests end with; empty for all.
    """
    return busiest((each.at_seconds for each in requests if each.host == host and each.path.endswith(path)), seconds)


def jittered(latency_seconds: float, number: int) -> float:
    """Wait of the n-th request: a half to one and a half of the typical one, the same each time."""
    return latency_seconds * (0.5 + random.Random(number).random())


def create_app(
    market: SimulatedMarket,
    clock: SandboxClock,
    *,
    full_history: bool = True,
    faults: FaultPlan | None = None,
    enforce_limits: bool = False,
    latency_seconds: float = 0.0,
) -> SandboxApp:
    """The ASGI application for a market and a clock, see `SandboxApp`."""
    return SandboxApp(
        market,
        clock,
        full_history=full_history,
        faults=faults,
        enforce_limits=enforce_limits,
        latency_seconds=latency_seconds,
    )


def _router_of(served: ServedMarket) -> ASGIApp:
    """All providers, each below its host, telling of one market."""
    routes = {provider: provider.make_routes(served) for provider in PROVIDERS.values()}
    return Starlette(routes=[Mount(f"/{host}", routes=routes[provider]) for host, provider in PROVIDERS.items()])


def _make_limiters() -> dict[str, HostLimiter]:
    return {
        host: HostLimiter(provider.LIMITS, bans_after=getattr(provider, "BANS_AFTER", None))
        for host, provider in PROVIDERS.items()
        if hasattr(provider, "LIMITS")
    }


def _refuse(host: str, refusal: Refusal) -> Response:
    provider = PROVIDERS[host]
    status = 418 if refusal.is_ban else getattr(provider, "LIMITED_STATUS", 429)
    headers = {"Retry-After": str(refusal.retry_after_seconds)}
    return _answer(provider.error_body(429), status, headers)


async def _send_whole(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _answer(content: object, status: int, headers: dict[str, str] | None = None) -> Response:
    if isinstance(content, str):
        return Response(content, status, headers=headers, media_type="text/plain")
    return Response(json.dumps(content), status, headers=headers, media_type="application/json")
