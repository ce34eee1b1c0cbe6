"""ccxt's errors as ours.

Belongs here: which of our errors an answer becomes. Does not: what is done about it (`client.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.http import read_retry_after

REFUSED_HERE: Final = (
    "restricted location",
    "your country",
    "your location",
    "country or region",
    "permission denied",
    "451 unavailable",
)
BANNED_STATUS: Final = 418
EXCERPT_CHARACTERS: Final = 300


class BannedError(RateLimitedError):
    """The venue has shut us out for a while, because requests went on after it had asked for fewer."""


class NotAskedError(SourceUnavailableError):
    """The request was not made, because too many before it had failed."""


def translate(
    error: Exception, *, place: str, status: int = 0, headers: Mapping[str, Any] | None = None
) -> SourceError:
    """Turn a ccxt error into one of ours.

    A 403 or 451 is a refusal of this place or network; ccxt files it under unavailable or even rate-limited, which would be
    repeated in vain.

    Args:
        error: What ccxt raised.
        place: Venue and request, the beginning of the message.
        status: HTTP status of the answer, 0 where none is known.
        headers: Its headers.
    """
    import ccxt.async_support as ccxt  # takes half a second, so only where it is used

    said = " ".join(str(error).split())[:EXCERPT_CHARACTERS]
    message = f"{place}: {type(error).__name__}: {said}"
    lowered = said.lower()
    wait = _retry_after(headers or {})
    if status == BANNED_STATUS or (isinstance(error, ccxt.DDoSProtection) and " 418 " in f" {said} "):
        asked = "" if wait is None else f" for {wait:g} s"
        return BannedError(f"{message}; it has shut us out{asked}, ask less often", retry_after_seconds=wait)
    if status in (403, 451) or any(word in lowered for word in REFUSED_HERE):
        return AccessRestrictedError(f"{message}; point the exchange's base_url at another host or disable it")
    if status == 429 or isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return RateLimitedError(message, retry_after_seconds=wait)
    if 400 <= status < 500 and status != 408:  # ccxt takes some for an exchange that is down
        return RequestRejectedError(f"{message}; check the market's name", status=status)
    if status >= 500 or isinstance(error, ccxt.NetworkError):
        return SourceUnavailableError(message, retry_after_seconds=wait if status >= 500 else None)
    if isinstance(error, (ccxt.BadSymbol, ccxt.BadRequest, ccxt.NotSupported)):
        return RequestRejectedError(f"{message}; check the market's name", status=status or 400)
    if "<html" in lowered or "<!doctype" in lowered:
        return SourceUnavailableError(f"{message}; an HTML page came instead of data")
    return UnexpectedBodyError(f"{message}; the exchange answered in a form that ccxt does not know")


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    value = next((str(value) for name, value in headers.items() if str(name).lower() == "retry-after"), "")
    return read_retry_after(value, now=datetime.now(UTC))
