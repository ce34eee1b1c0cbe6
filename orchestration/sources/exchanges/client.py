"""One venue through ccxt: its client, addresses, patience, and its errors as ours.

Belongs here: asking with pace, retries, a circuit breaker and a mirror host; translating ccxt's errors; closing.
Does not: what is asked (`markets.py`, `candles.py`, `quotes.py`, `derivatives.py`), our own HTTP client (`http.py`).

ccxt brings its own transport. Its rate limiter stays off, because it lets one request after the other through; ours takes
a token per request and leaves several under way.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.exchanges.bounded_numbers import bound_precisions
from orchestration.sources.exchanges.capped import cap_answers
from orchestration.sources.exchanges.errors import BannedError, NotAskedError, translate
from orchestration.sources.exchanges.venues import VENUES, Venue
from orchestration.sources.exchanges.wire import call_under_way, watch_answers
from orchestration.sources.http import HttpLimits
from orchestration.sources.pace import CircuitBreaker, Pace

LOGGER = logging.getLogger(__name__)

PACE_MARGIN: Final = 1.03
"""Requests leave this much further apart than allowed, since they do not all travel equally long."""

Side = Literal["spot", "derivatives"]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """How to reach a venue.

    Attributes:
        addresses: Base addresses that stand for hosts: `{"www.okx.com": "https://my.okx.com"}`.
        prefix: Put before every other host, `http://127.0.0.1:8000` for a sandbox that routes on the host segment.
        min_interval_seconds: Least time between two requests.
        concurrency: Requests under way at once.
        limits: Timeouts, attempts and pauses.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    prefix: str | None = None
    min_interval_seconds: float = 0.0
    concurrency: int = 8
    limits: HttpLimits = field(default_factory=HttpLimits)


class VenueClient:
    """Asks one venue; `Venues` opens and closes it.

    Args:
        venue: Which one.
        client: A ccxt `async_support` client, or a fake with the calls that are made.
        settings: Addresses, pace and patience.
        sleep: Waits between attempts and for the pace; a test passes a recorder.
        clock: Monotonic seconds.
        jitter: Draws from [0, 1).
    """

    def __init__(
        self,
        venue: Venue,
        client: Any,
        settings: VenueSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Keep client and settings; nothing is asked yet."""
        self.venue = venue
        self.client = client
        self.settings = settings
        self._sleep = sleep
        self._jitter = jitter
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._pace = Pace(settings.min_interval_seconds * PACE_MARGIN, {}, clock=clock, sleep=time.sleep)
        limits = settings.limits
        self._circuit = CircuitBreaker(
            failures_to_open=limits.failures_to_open, cool_down_seconds=limits.cool_down_seconds, clock=clock
        )
        self._own_urls = _urls_of(client)
        self._is_on_mirror = False
        self._point_at(mirror=False)

    async def ask(
        self,
        call: Callable[[Any], Awaitable[Any]],
        read: Callable[[Any], Result],
        *,
        what: str,
        side: Side = "spot",
        cost: float = 1.0,
        wants_text: bool = False,
    ) -> Result:
        """Make one request, with as many attempts as the settings allow.

        Args:
            call: Makes the request with ccxt's client.
            read: Reads its answer; an `UnexpectedBodyError` or any stumbling over the shape leads to another attempt.
            what: What is asked for, in messages.
            side: Spot and derivatives lie at different hosts and fail apart.
            cost: Tokens the request takes from the bucket.
            wants_text: Whether a page of candles may stay text, see `wire.py`.

        Raises:
            SourceError: See `errors.py`; `BannedError` where the venue has shut us out for a while, `NotAskedError` where so
                many requests had failed before that this one was not made.
        """
        async with self._slots:
            if refusal := self._circuit.refusal(side):
                raise NotAskedError(f"{self.venue.name}: {what}: {refusal}")
            was_on_mirror = self._is_on_mirror
            try:
                answer = await self._with_patience(call, read, what, side, cost, wants_text=wants_text)
            except AccessRestrictedError as error:
                if side == "spot" and not was_on_mirror and self._take_mirror():
                    answer = await self._with_patience(call, read, what, side, cost, wants_text=wants_text)
                else:
                    self._circuit.failed(side, str(error), is_ban=True)
                    raise
            except RequestRejectedError:  # it answered, if only to refuse this request
                self._circuit.succeeded(side)
                raise
            except SourceError as error:
                is_ban = isinstance(error, (BannedError, RateLimitedError))
                self._circuit.failed(side, str(error), is_ban=is_ban)
                raise
        self._circuit.succeeded(side)
        return answer

    async def _with_patience(
        self,
        call: Callable[[Any], Awaitable[Any]],
        read: Callable[[Any], Result],
        what: str,
        side: Side,
        cost: float,
        *,
        wants_text: bool,
    ) -> Result:
        for attempt in itertools.count(1):
            try:
                return await self._attempt(call, read, what, side, cost, wants_text=wants_text)
            except SourceError as error:
                if attempt < self.settings.limits.attempts and self._is_worth_repeating(error):
                    LOGGER.warning("attempt %d failed, trying again: %s", attempt, error)
                    pause = self._pause(error, attempt)
                elif attempt > 1:
                    error.args = (f"{error.args[0]} (after {attempt} attempts)", *error.args[1:])
                    raise
                else:
                    raise
            await self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(
        self,
        call: Callable[[Any], Awaitable[Any]],
        read: Callable[[Any], Result],
        what: str,
        side: Side,
        cost: float,
        *,
        wants_text: bool,
    ) -> Result:
        import ccxt.async_support as ccxt  # takes half a second, so only where it is used

        while wait := self._pace.take(side, tokens=cost):
            await self._sleep(wait)
        place = f"{self.venue.name}: {what}"
        with call_under_way(wants_text=wants_text) as seen:
            try:
                return read(await call(self.client))
            except UnexpectedBodyError as error:
                raise UnexpectedBodyError(f"{place}: {error}") from None
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
                # ccxt trusts the shape of an answer and stumbles over HTML or cut-off JSON with whatever comes first.
                cause = f"{type(error).__name__}: {error}"
                raise UnexpectedBodyError(f"{place}: the answer is not of the known shape ({cause})") from None
            except ccxt.BaseError as error:
                known = translate(error, place=place, status=seen.status, headers=seen.headers)
                if known.retry_after_seconds:
                    held = min(known.retry_after_seconds, self.settings.limits.longest_pause_seconds)
                    self._pace.hold(side, held)  # for all requests that wait for their turn
                raise known from None

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if isinstance(error, (AccessRestrictedError, BannedError)):
            return False
        if not isinstance(error, (SourceUnavailableError, RateLimitedError, UnexpectedBodyError)):
            return False
        return (error.retry_after_seconds or 0.0) <= self.settings.limits.longest_pause_seconds

    def _pause(self, error: SourceError, attempt: int) -> float:
        limits = self.settings.limits
        if error.retry_after_seconds is not None:
            return self._jitter() * limits.first_pause_seconds  # the pace is held back as asked, for all requests
        first = limits.rate_limited_pause_seconds if isinstance(error, RateLimitedError) else limits.first_pause_seconds
        pause: float = first * 2.0 ** (attempt - 1)
        return min(pause * (1.0 + self._jitter()), limits.longest_pause_seconds)

    async def close(self) -> None:
        """Close its connections."""
        await self.client.close()

    def _take_mirror(self) -> bool:
        """Go to the mirror host; False where the venue has none."""
        if self.venue.mirror is None or self._own_urls is None:
            return False
        if not self._is_on_mirror:
            self._point_at(mirror=True)
        return True

    def _point_at(self, *, mirror: bool) -> None:
        self._is_on_mirror = mirror
        if self._own_urls is None:
            return
        addresses = dict(self.settings.addresses)
        if mirror and self.venue.mirror:
            addresses[self.venue.host] = addresses.get(self.venue.mirror, f"https://{self.venue.mirror}")
        self.client.urls["api"] = rewrite_urls(self._own_urls, addresses=addresses, prefix=self.settings.prefix)


class Venues:
    """The venues of one run, for code without asyncio: each is opened when first asked and closed with `close`.

    Connections, circuit breakers and the choice of a mirror last as long as this does. One thread at a time may use it.

    Args:
        settings: Gives the settings of a venue by its name.
    """

    def __init__(self, settings: Callable[[str], VenueSettings]) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._runner = asyncio.Runner()
        self._clients: dict[str, VenueClient] = {}

    async def open(self, name: str) -> VenueClient:
        """The client of a venue; to be awaited within `run`."""
        if name not in self._clients:
            self._clients[name] = open_client(VENUES[name], self._settings(name))
        return self._clients[name]

    def run(self, job: Coroutine[Any, Any, Result]) -> Result:
        """Run to the end."""
        return self._runner.run(job)

    def close(self) -> None:
        """Close all connections, whatever happened before."""

        async def close_all() -> None:
            await asyncio.gather(*(each.close() for each in self._clients.values()), return_exceptions=True)

        try:
            if self._clients:
                self.run(close_all())
        finally:
            self._runner.close()


def open_client(venue: Venue, settings: VenueSettings) -> VenueClient:
    """Make ccxt's client of a venue; whoever opens it awaits `close`."""
    import ccxt.async_support as ccxt  # takes half a second, so only where it is used

    limits = settings.limits
    client = getattr(ccxt, venue.ccxt_id)(
        {
            "enableRateLimit": False,
            "timeout": int(min(limits.total_seconds, 2.0 * limits.read_seconds) * 1000),
            "options": dict(venue.options),
        }
    )
    client.has["fetchCurrencies"] = False  # a request whose answer nobody needs
    client.timeout_on_exit = 0  # ccxt sleeps a quarter of a second after closing for the sake of older transports
    watch_answers(client)
    cap_answers(client, max_bytes=limits.max_bytes)
    bound_precisions(client)
    return VenueClient(venue, client, settings)


def rewrite_urls(urls: Any, *, addresses: Mapping[str, str], prefix: str | None) -> Any:
    """Replace hosts in ccxt's table of addresses, and put a sandbox before them: `https://HOST` -> `prefix/HOST`.

    Args:
        urls: The table, whose leaves are addresses or other values.
        addresses: What stands for `https://HOST`, by host.
        prefix: Put before hosts whose address is https; None for none.
    """
    if isinstance(urls, Mapping):
        return {name: rewrite_urls(value, addresses=addresses, prefix=prefix) for name, value in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    parts = urlsplit(urls)
    base = addresses.get(parts.netloc, f"https://{parts.netloc}").rstrip("/")
    if prefix is not None:
        base = base.replace("https://", f"{prefix.rstrip('/')}/", 1)
    return f"{base}{parts.path}"


def _urls_of(client: Any) -> Any:
    """Addresses of ccxt with `{hostname}` filled in; None for a fake without any."""
    urls = getattr(client, "urls", None)
    return None if urls is None else _fill_hosts(client, urls["api"])


def _fill_hosts(client: Any, urls: Any) -> Any:
    if isinstance(urls, Mapping):
        return {name: _fill_hosts(client, value) for name, value in urls.items()}
    return client.implode_hostname(urls) if isinstance(urls, str) else urls
