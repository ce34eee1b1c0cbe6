"""How often a provider may be asked, and what it does to those who ask more often.

A route module declares `LIMITS`: a pair `(requests, seconds)`, or several `RequestLimit`s where paths have budgets of
their own or requests weigh differently. `BANS_AFTER` (Binance) is the number of refusals that must be ignored before
429 becomes 418; `LIMITED_STATUS` is the status of a refusal where it is not 429 (Kraken refuses under 200).

Belongs here: counting. Does not: the answer itself (`server.py`), the numbers (`routes_*.py`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

BAN_SECONDS = 120.0


@dataclass(frozen=True)
class RequestLimit:
    """A budget of one host in a sliding window.

    Attributes:
        requests: Requests, or their weight, allowed within the window.
        seconds: Length of the window.
        path: What the path of a request must end with to count; empty for all.
        weigh: Weight of a request from its path and parameters; 1 each where there is none.
    """

    requests: int
    seconds: float
    path: str = ""
    weigh: Callable[[str, Mapping[str, str]], int] | None = None

    def weight_of(self, path: str, params: Mapping[str, str]) -> int:
        """What a request takes from this budget, 0 where it is not about it."""
        if not path.endswith(self.path):
            return 0
        return 1 if self.weigh is None else self.weigh(path, params)


Limits = tuple[int, float] | tuple[RequestLimit, ...]
"""What a route module may declare as `LIMITS`."""


@dataclass(frozen=True)
class Refusal:
    """A request too many: `is_ban` where the host has stopped to warn."""

    retry_after_seconds: int
    is_ban: bool = False


@dataclass
class _Window:
    limit: RequestLimit
    taken: deque[tuple[float, int]] = field(default_factory=deque)
    weight: int = 0


class HostLimiter:
    """Budgets of one host.

    A refused request takes nothing from a budget, so whoever waits as told is served again.
    """

    def __init__(self, limits: Limits, *, bans_after: int | None = None) -> None:
        """Start with full budgets.

        Args:
            limits: As a route module declares them.
            bans_after: Refusals in a row, each asked before its time was up, after which the host bans; None for never.
        """
        self._windows = [_Window(limit) for limit in as_limits(limits)]
        self._bans_after = bans_after
        self._ignored = 0
        self._free_at = 0.0
        self._banned_until = 0.0

    def ask(self, at_seconds: float, path: str, params: Mapping[str, str]) -> Refusal | None:
        """Whether a request is one too many; takes it from the budgets if not.

        Args:
            at_seconds: Time of its arrival on a clock that only rises.
            path: Path without the host.
            params: Its query.
        """
        if at_seconds < self._banned_until:
            return Refusal(math.ceil(self._banned_until - at_seconds), is_ban=True)
        weights = [(window, window.limit.weight_of(path, params)) for window in self._windows]
        waits = [_wait(window, weight, at_seconds) for window, weight in weights if weight]
        wait = max(waits, default=0.0)
        if wait <= 0.0:
            self._ignored = 0
            for window, weight in weights:
                if weight:
                    window.taken.append((at_seconds, weight))
                    window.weight += weight
            return None
        self._ignored = self._ignored + 1 if at_seconds < self._free_at else 0
        self._free_at = at_seconds + wait
        if self._bans_after is not None and self._ignored >= self._bans_after:
            self._ignored, self._banned_until = 0, at_seconds + BAN_SECONDS
            return Refusal(math.ceil(BAN_SECONDS), is_ban=True)
        return Refusal(max(1, math.ceil(wait)))


def as_limits(limits: Limits) -> tuple[RequestLimit, ...]:
    """Both forms of `LIMITS` as one."""
    found = []
    match limits:
        case (int(requests), float() | int() as seconds):
            return (RequestLimit(requests, float(seconds)),)
        case _:
            for limit in limits:
                if not isinstance(limit, RequestLimit):
                    raise TypeError(f"LIMITS is {limits!r}, but should be (requests, seconds) or several RequestLimit")
                found.append(limit)
    return tuple(found)


def busiest(times: Iterable[float], seconds: float) -> int:
    """Largest number of instants within any window of some length, its end not included."""
    window: deque[float] = deque()
    most = 0
    for time in sorted(times):
        window.append(time)
        while window[0] <= time - seconds:
            window.popleft()
        most = max(most, len(window))
    return most


def _wait(window: _Window, weight: int, now: float) -> float:
    """Seconds until a request of some weight fits, 0 where it does."""
    while window.taken and window.taken[0][0] <= now - window.limit.seconds:
        window.weight -= window.taken.popleft()[1]
    excess = window.weight + weight - window.limit.requests
    if excess <= 0:
        return 0.0
    for at, freed in window.taken:
        excess -= freed
        if excess <= 0:
            return at + window.limit.seconds - now
    return window.limit.seconds
