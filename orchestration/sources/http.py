"""The one HTTP client of all adapters: polite, patient, bounded, and silent about secrets.

Belongs here: timeouts, retries, size cap, body checks, redaction.
Does not: pacing and the circuit breaker (`pace.py`), addresses and shapes of a provider (its own module), exchanges (ccxt has
its own transport, `exchanges`), the errors of all sources (`errors.py`).
"""

from __future__ import annotations

import base64
import email.utils
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, quote_plus

import httpx
import tenacity

from orchestration.sources.decoding import UnreadableEncodingError, accepted_encodings, decoded_pieces
from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    ResponseTooLargeError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.json_text import read_json
from orchestration.sources.pace import CircuitBreaker, Pace
from orchestration.sources.redaction import redact

LOGGER = logging.getLogger(__name__)

USER_AGENT: Final = "tidemark (self-hosted research pipeline)"
MOST_REDIRECTS: Final = 5
EXCERPT_CHARACTERS: Final = 200

SHORTEST_IN_BODIES: Final = 12
"""Characters of a secret that is taken out of bodies; shorter ones could be any word of an answer."""

UNIX_TIME_FROM: Final = 1e9
"""A reset header beyond this is an instant in unix seconds (GitHub), below it the seconds to wait (Reddit)."""

Result = TypeVar("Result")
Query = Mapping[str, str | int | float | bool]
Check = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient and how greedy the client is.

    Attributes:
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest silence between two pieces of a body.
        total_seconds: Longest time for one whole answer, so that a body fed in drips ends too.
        attempts: Tries of one request, the first included.
        first_pause_seconds: Pause before the second try; doubles each time, with jitter of up to as much again.
        rate_limited_pause_seconds: The same after a 429 that names no `Retry-After`.
        longest_pause_seconds: Ceiling of the pauses of our own, and of those a `Retry-After` may ask for.
        max_bytes: Largest body accepted, after decompression.
        failures_to_open: Requests in a row that fail for good before a host is left alone.
        cool_down_seconds: How long it is left alone.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    total_seconds: float = 120.0
    attempts: int = 5
    first_pause_seconds: float = 1.0
    rate_limited_pause_seconds: float = 5.0
    longest_pause_seconds: float = 120.0
    max_bytes: int = 64 * 1024 * 1024
    failures_to_open: int = 3
    cool_down_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose status or headers matter besides its body.

    Attributes:
        status: HTTP status.
        headers: Headers; names in any case.
        payload: The body as JSON; None where it is empty.
    """

    status: int
    headers: Mapping[str, str]
    payload: Any


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: what is sent besides the address, and the statuses that count as an answer besides 2xx."""

    headers: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    accept: frozenset[int] = frozenset()


Read = Callable[[_Reply, str], Result]


class HttpClient:
    """Fetches JSON and text from providers. Safe to share between threads; close it, or use it in `with`.

    Attempts are repeated after 408, 429, 5xx, failed or broken connections, HTML under 200 and JSON that does not
    parse. A `Retry-After` holds back every thread that asks the same host.

    Args:
        min_interval_seconds: Time in which a host's token bucket gains a token; with a burst of 1 the least time between two
            requests.
        burst: Tokens a full bucket holds: requests that may follow each other at once after a rest.
        host_intervals: Other intervals for some hosts, by host or host:port (or the first path segment under a
            sandbox prefix, see `pace_key`).
        secrets: Values that must never appear in a message or log (API keys).
        limits: Timeouts, attempts and caps.
        headers: Sent with every request.
        transport: Replaces the network in tests.
        sleep: Waits; a test passes a recorder.
        clock: Monotonic seconds.
        wall_clock: UTC now, for a `Retry-After` that names a date.
        jitter: Draws from [0, 1).
    """

    def __init__(
        self,
        *,
        min_interval_seconds: float = 0.0,
        burst: int = 1,
        host_intervals: Mapping[str, float] | None = None,
        secrets: Iterable[str | None] = (),
        limits: HttpLimits | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare the client; nothing is asked yet."""
        self.limits = limits or HttpLimits()
        self._secrets: tuple[str, ...] = ()
        self._in_bodies: tuple[bytes, ...] = ()
        self.hide(secrets)
        self._sleep = sleep
        self._clock = clock
        self._wall_clock = wall_clock
        self._jitter = jitter
        self._pace = Pace(min_interval_seconds, host_intervals or {}, burst=burst, clock=clock, sleep=sleep)
        self._circuit = CircuitBreaker(
            failures_to_open=self.limits.failures_to_open,
            cool_down_seconds=self.limits.cool_down_seconds,
            clock=clock,
        )
        timeout = httpx.Timeout(self.limits.read_seconds, connect=self.limits.connect_seconds)
        self._client = httpx.Client(
            timeout=timeout,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json, */*;q=0.5",
                "Accept-Encoding": accepted_encodings(),
                **(headers or {}),
            },
            transport=transport,
            follow_redirects=False,  # `_follow` does, without giving keys to foreign hosts
        )
        # httpx logs every request address at INFO; the filter keeps keys in query strings out of it.
        self._log_filter = _RedactingFilter(self.redact)
        logging.getLogger("httpx").addFilter(self._log_filter)

    def __enter__(self) -> Self:
        """Use the client within a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.close()

    def __repr__(self) -> str:
        """Limits, and how many secrets are hidden; never a secret."""
        return f"HttpClient({self.limits!r}, secrets={len(self._secrets)} forms hidden)"

    def close(self) -> None:
        """Close all connections."""
        logging.getLogger("httpx").removeFilter(self._log_filter)
        self._client.close()

    def hide(self, secrets: Iterable[str | None]) -> None:
        """Hide further secrets, for instance a token that a key was exchanged for."""
        plain = [secret.strip() for secret in secrets if secret and secret.strip()]
        known = {*self._secrets, *plain, *(form for secret in plain for form in _encoded(secret))}
        self._secrets = tuple(sorted(known, key=len, reverse=True))  # a key that holds another one goes first
        self._in_bodies = tuple(secret.encode() for secret in self._secrets if len(secret) >= SHORTEST_IN_BODIES)

    def redact(self, text: str) -> str:
        """Replace secrets, key-like query parameters and credentials in addresses by `***`."""
        return redact(text, self._secrets)

    def _without_secrets(self, body: bytes) -> bytes:
        """A body without our keys: what an answer echoes would land, or be quarantined as it came."""
        for secret in self._in_bodies:
            if secret in body:
                body = body.replace(secret, b"***")
        return body

    def get_json(
        self,
        url: str,
        *,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> Any:
        """Fetch JSON.

        Args:
            url: Absolute address.
            params: Query parameters.
            headers: Further headers, for instance a key.
            check: Looks at the parsed body and raises a `SourceError` for an error that came under 200; a
                `RateLimitedError` or `UnexpectedBodyError` from it leads to another attempt.

        Raises:
            SourceError: One of the tree above.
        """

        def read(reply: _Reply, place: str) -> Any:
            payload = self._parse_json(reply.body, place)
            if check is not None:
                check(payload)
            return payload

        return self._fetch(url, params, _Ask(headers), read)

    def get_answer(
        self,
        url: str,
        *,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Iterable[int] = (),
        check: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """Fetch JSON together with its status and headers.

        Args:
            url: Absolute address.
            params: Query parameters.
            headers: Further headers, for instance a key.
            accept: Statuses that count as an answer besides 2xx, for instance 404 where it tells something.
            check: As in `get_json`, of the whole answer.

        Raises:
            SourceError: One of the tree above.
        """

        def read(reply: _Reply, place: str) -> Answer:
            payload = self._parse_json(reply.body, place) if reply.body.strip() else None
            answer = Answer(reply.status, reply.headers, payload)
            if check is not None:
                check(answer)
            return answer

        return self._fetch(url, params, _Ask(headers, accept=frozenset(accept)), read)

    def get_text(self, url: str, *, params: Query | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Fetch text (CSV, XML); an HTML page is refused as it is for JSON.

        Raises:
            SourceError: One of the tree above.
        """
        return self.get_parsed(url, parse=lambda text: text, params=params, headers=headers)

    def get_parsed(
        self,
        url: str,
        *,
        parse: Callable[[str], Result],
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result:
        """Fetch text and read it within the attempt.

        Args:
            url: Absolute address.
            parse: Reads the text; a `RateLimitedError` or `UnexpectedBodyError` from it leads to another attempt.
            params: Query parameters.
            headers: Further headers, for instance a key.

        Raises:
            SourceError: One of the tree above.
        """

        def read(reply: _Reply, place: str) -> Result:
            text = reply.body.decode("utf-8", errors="replace")
            self._refuse_html(text, place)
            return parse(text)

        return self._fetch(url, params, _Ask(headers), read)

    def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> Any:
        """Send a form and read the JSON that answers it. It may be sent more than once, so only for what changes nothing.

        Forms are exchanged for tokens, so an answer that cannot be read is not quoted.

        Raises:
            SourceError: One of the tree above.
        """

        def read(reply: _Reply, place: str) -> Any:
            try:
                payload = read_json(reply.body.decode("utf-8", errors="replace"))
            except ValueError:
                raise UnexpectedBodyError(f"{place}: body of {len(reply.body)} bytes is no JSON") from None
            if check is not None:
                check(payload)
            return payload

        return self._fetch(url, None, _Ask(headers, form=form), read)

    def _fetch(self, url: str, params: Query | None, ask: _Ask, read: Read[Result]) -> Result:
        try:
            target = httpx.URL(url, params=params) if params else httpx.URL(url)
        except httpx.InvalidURL as error:
            cause = self.redact(str(error))
            raise SourceError(f"{self.redact(url)} is no address ({cause}); correct the base URL") from None
        place = self.redact(str(target))
        if target.scheme not in ("http", "https") or not target.host:
            raise SourceError(f"{place} is no http(s) address; correct the base URL")
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.limits.attempts),
            wait=self._pause,
            retry=tenacity.retry_if_exception(self._is_worth_repeating),
            sleep=self._sleep,
            before_sleep=_log_repetition,
            reraise=True,
        )
        key = pace_key(target)
        if refusal := self._circuit.refusal(key):
            raise SourceUnavailableError(f"{place}: {refusal}")
        try:
            answer = retrying(self._attempt, target, place, ask, read)
        except SourceError as error:
            self._note_failure(key, error)
            attempts = retrying.statistics.get("attempt_number", 1)
            tried = f" (after {attempts} attempts)" if attempts > 1 else ""
            # A server may echo a key, and adapters quote what it said.
            error.args = (f"{self.redact(str(error.args[0]))}{tried}", *error.args[1:])
            raise
        self._circuit.succeeded(key)
        return answer

    def _note_failure(self, key: str, error: SourceError) -> None:
        if isinstance(error, (SourceUnavailableError, RateLimitedError, UnexpectedBodyError)):
            self._circuit.failed(key, str(error), is_ban=isinstance(error, AccessRestrictedError))
        else:  # it answered, if only to refuse this request
            self._circuit.succeeded(key)

    def _attempt(self, target: httpx.URL, place: str, ask: _Ask, read: Read[Result]) -> Result:
        method = "GET" if ask.form is None else "POST"
        request = self._client.build_request(method, target, headers=ask.headers, data=ask.form)
        for _ in range(MOST_REDIRECTS + 1):
            key = pace_key(request.url)
            self._pace.wait(key)
            reply, redirect = self._exchange(request, place)
            if redirect is None:
                if ask.form is None:  # what answers a form may be a token, which is to be used
                    reply = replace(reply, body=self._without_secrets(reply.body))
                if not (200 <= reply.status < 300 or reply.status in ask.accept):
                    self._refuse_status(reply, place, key=key)
                return read(reply, place)
            request = self._follow(request, redirect)
        raise UnexpectedBodyError(f"{place}: more than {MOST_REDIRECTS} redirects; correct the base URL")

    def _exchange(self, request: httpx.Request, place: str) -> tuple[_Reply, httpx.Request | None]:
        """Send once and read the body within the caps, whatever the status."""
        started = self._clock()
        try:
            response = self._client.send(request, stream=True)
            try:
                body = bytearray()
                for piece in decoded_pieces(_raw_pieces(response), response.headers.get("content-encoding", "")):
                    body += piece
                    if len(body) > self.limits.max_bytes:
                        raise ResponseTooLargeError(
                            f"{place}: body is larger than {self.limits.max_bytes} bytes; "
                            "ask for fewer rows or raise max_bytes"
                        )
                    if self._clock() - started > self.limits.total_seconds:
                        raise SourceUnavailableError(
                            f"{place}: answer incomplete after {self.limits.total_seconds:g} s ({len(body)} bytes came)"
                        )
            finally:
                response.close()
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            # Such texts quote the offending header, so the cause is redacted and its chain cut.
            cause = self.redact(str(error))
            raise SourceError(f"{place}: request cannot be sent: {cause}; check base URL and key") from None
        except UnreadableEncodingError as error:
            raise UnexpectedBodyError(f"{place}: body does not decompress: {self.redact(str(error))}") from None
        except httpx.TimeoutException as error:
            raise SourceUnavailableError(f"{place}: timed out ({type(error).__name__})") from None
        except httpx.TransportError as error:
            cause = self.redact(str(error)) or type(error).__name__
            raise SourceUnavailableError(f"{place}: connection failed ({cause})") from None
        return _Reply(response.status_code, response.headers, bytes(body)), response.next_request

    def _follow(self, request: httpx.Request, redirect: httpx.Request) -> httpx.Request:
        if redirect.url.host == request.url.host:
            return redirect
        # Keys travel in headers of our own, which httpx would carry along to a foreign host.
        return self._client.build_request("GET", redirect.url)

    def _refuse_status(self, reply: _Reply, place: str, *, key: str) -> None:
        status = reply.status
        text = reply.body[:100_000].decode("utf-8", errors="replace")
        said = self.redact(" ".join(text.split())[:EXCERPT_CHARACTERS])
        asked = self._pause_asked(reply)
        # GitHub spends its limits under 403; without a word on when to come back a 403 is a refusal.
        is_limited = status == 429 or (status == 403 and asked is not None and not _is_html(text))
        if is_limited or status == 408 or status >= 500:
            if asked is not None:
                self._pace.hold(key, min(asked, self.limits.longest_pause_seconds))
            hint = "" if asked is None else f", asks to wait {round(asked, 1):g} s"
            if is_limited:
                raise RateLimitedError(f"{place}: HTTP {status}{hint}: {said}", retry_after_seconds=asked)
            raise SourceUnavailableError(f"{place}: HTTP {status}{hint}: {said}", retry_after_seconds=asked)
        if status == 451 or (status == 403 and _is_html(text)):
            raise AccessRestrictedError(
                f"{place}: HTTP {status}, refused for this place or network: {said}; "
                "use another host or disable the source"
            )
        try:
            payload = read_json(self.redact(text))
        except ValueError:
            payload = None
        raise RequestRejectedError(f"{place}: HTTP {status}: {said}", status=status, payload=payload)

    def _pause_asked(self, reply: _Reply) -> float | None:
        """Seconds until the source wants to be asked again: `Retry-After`, else the reset of a limit that is used up."""
        asked = read_retry_after(reply.headers.get("retry-after", ""), now=self._wall_clock())
        if asked is not None or reply.status not in (403, 429):
            return asked
        try:
            left = float(reply.headers.get("x-ratelimit-remaining", ""))
            reset = float(reply.headers.get("x-ratelimit-reset", ""))
        except ValueError:
            return None
        if left >= 1:
            return None
        return max(0.0, reset - self._wall_clock().timestamp() if reset >= UNIX_TIME_FROM else reset)

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if isinstance(error, AccessRestrictedError):
            return False
        if not isinstance(error, (SourceUnavailableError, RateLimitedError, UnexpectedBodyError)):
            return False
        return (error.retry_after_seconds or 0.0) <= self.limits.longest_pause_seconds

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, SourceError) and error.retry_after_seconds is not None:
            return 0.0  # the pace of the host is held back already, for all threads
        is_limited = isinstance(error, RateLimitedError)
        first = self.limits.rate_limited_pause_seconds if is_limited else self.limits.first_pause_seconds
        pause = first * 2.0 ** (state.attempt_number - 1)
        return min(pause * (1.0 + self._jitter()), self.limits.longest_pause_seconds)

    def _parse_json(self, body: bytes, place: str) -> Any:
        text = body.decode("utf-8", errors="replace")
        self._refuse_html(text, place)
        try:
            return read_json(text)
        except ValueError as error:
            said = self.redact(" ".join(text.split())[:EXCERPT_CHARACTERS])
            raise UnexpectedBodyError(f"{place}: body of {len(body)} bytes is no JSON ({error}): {said!r}") from None

    def _refuse_html(self, text: str, place: str) -> None:
        if _is_html(text):
            said = self.redact(" ".join(text.split())[:EXCERPT_CHARACTERS])
            raise UnexpectedBodyError(f"{place}: an HTML page came instead of data: {said!r}")


def _encoded(secret: str) -> Iterator[str]:
    """A secret as addresses and headers write it, where that differs from the secret itself."""
    for form in (quote(secret, safe=""), quote_plus(secret), base64.b64encode(secret.encode()).decode()):
        if form != secret:
            yield form


def _raw_pieces(response: httpx.Response) -> Iterator[bytes]:
    """The body as it comes, not decompressed."""
    stream = response.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise TypeError(f"the transport gave a {type(stream).__name__}; it must be one for threads")
    yield from stream


def pace_key(url: httpx.URL) -> str:
    """Name whose requests are paced together: the host, or the one a sandbox has as first path segment."""
    first = url.path.strip("/").partition("/")[0]
    authority = url.netloc.decode("ascii").rpartition("@")[2]
    is_local = url.host in ("127.0.0.1", "localhost", "::1")
    return first if is_local and "." in first else authority


class _RedactingFilter(logging.Filter):
    """Rewrites records of the httpx logger, which hold whole addresses."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every record, with its text redacted."""
        record.msg, record.args = self._redact(record.getMessage()), ()
        return True


def read_retry_after(value: str, *, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks to wait: a number, or a date; None where it says neither."""
    text = value.strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass  # not seconds: it may be a date
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds())


def _log_repetition(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    LOGGER.warning("attempt %d failed, trying again: %s", state.attempt_number, error)


def _is_html(text: str) -> bool:
    start = text[:1000].lstrip("\ufeff \t\r\n").lower()
    return start.startswith(("<!doctype html", "<html", "<head", "<body", "<title"))
