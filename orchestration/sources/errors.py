"""What can go wrong with a source, whatever is between it and us: HTTP, ccxt, a file it serves.

All with what happened, where, and what to do:

    SourceError
    ├── SourceUnavailableError      no usable answer after all attempts: connection, timeout, 408, 5xx
    │   └── AccessRestrictedError   refused for where we call from (451, 403 of a firewall); retrying cannot help
    ├── RateLimitedError            429 (or 403 that says when to come back) after all attempts, or a pause beyond our patience
    ├── RequestRejectedError        a final 4xx: the request itself is wrong (has `status` and `payload`)
    │   └── HistoryRangeError       older history than the plan allows (CoinGecko)
    ├── ResponseTooLargeError       body beyond the cap; reading stopped there
    └── UnexpectedBodyError         200, but HTML, cut-off JSON, or JSON of another shape
"""

from __future__ import annotations

from typing import Any

from orchestration.lib.errors import TidemarkError


class SourceError(TidemarkError):
    """Root of everything a source can raise.

    Attributes:
        retry_after_seconds: Pause the source asked for, where it said so.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        """Keep the message and the pause asked for."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class SourceUnavailableError(SourceError):
    """The source gave no usable answer after all attempts."""


class AccessRestrictedError(SourceUnavailableError):
    """The source refuses this place or network; use another host or disable the source."""


class RateLimitedError(SourceError):
    """The source asks for fewer requests."""


class RequestRejectedError(SourceError):
    """The source rejects this request for good.

    Attributes:
        status: HTTP status.
        payload: The body as JSON where it is JSON, else None.
    """

    def __init__(self, message: str, *, status: int, payload: Any = None) -> None:
        """Keep the message, the status and the body."""
        super().__init__(message)
        self.status = status
        self.payload = payload


class HistoryRangeError(RequestRejectedError):
    """The request asks for older history than the plan behind it gives."""


class ResponseTooLargeError(SourceError):
    """The body went beyond the cap."""


class UnexpectedBodyError(SourceError):
    """The status says all is well, the body does not."""
