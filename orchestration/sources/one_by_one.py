"""Asking one host for many things, one after the other: a thing that fails is noted, a host that fails ends it.

Belongs here: which errors are about one thing and which about the host. Does not: retries of one request (`http.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)

MOST_FAILURES_IN_A_ROW: Final = 3
OTHERS: Final = "(others)"
"""Stands in the failures for everything that was not asked any more."""

Result = TypeVar("Result")


class OneByOne:
    """Notes what failed, and when to stop.

    A limit that is used up, a refused network and a refused key stop at once; a host that is down, or speaks nonsense, after
    three things in a row. A request that is rejected is about its thing alone.

    Attributes:
        failures: What failed, by thing.
        stopped_by: Why the host is not asked any more; None while it is.
        answered: Things that came.
    """

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.failures: dict[str, str] = {}
        self.stopped_by: SourceError | None = None
        self.answered = 0
        self._in_a_row = 0
        self._last: SourceError | None = None

    def ask(self, thing: str, request: Callable[[], Result]) -> Result | None:
        """Make a request unless the host has failed; None where nothing came."""
        if self.stopped_by is not None:
            return None
        try:
            result = request()
        except SourceError as error:
            self._note(thing, error)
            return None
        self.answered += 1
        self._in_a_row = 0
        return result

    def raise_if_nothing_came(self) -> None:
        """Raise the last error where things were asked for and none came.

        Raises:
            SourceError: See `errors.py`.
        """
        if self._last is not None and not self.answered:
            raise self._last

    def report(self) -> dict[str, str]:
        """The failures, and one line for what was not asked any more."""
        others = {} if self.stopped_by is None else {OTHERS: f"not asked: {self.stopped_by}"}
        return {**self.failures, **others}

    def _note(self, thing: str, error: SourceError) -> None:
        self._last = error
        self.failures[thing] = str(error)
        if isinstance(error, (SourceUnavailableError, UnexpectedBodyError)):
            self._in_a_row += 1
        else:
            self._in_a_row = 0
        is_refused_key = isinstance(error, RequestRejectedError) and error.status == 401
        is_general = isinstance(error, (RateLimitedError, AccessRestrictedError)) or is_refused_key
        if is_general or self._in_a_row >= MOST_FAILURES_IN_A_ROW:
            self.stopped_by = error
