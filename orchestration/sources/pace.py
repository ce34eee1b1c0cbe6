"""Politeness and survival: how fast a host may be asked, and when it is not asked any more.

Belongs here: a token bucket and a circuit breaker per host, both safe between threads and on a clock that tests give.
Does not: retries of one request (`http.py`).

Why not a library: the ones at hand pace by their own clock and cannot be held back by a `Retry-After`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class Pace:
    """A token bucket per host, kept as the moment at which the bucket is full again (GCRA).

    With a burst of 1 two requests are never closer than the interval. With a burst of n, n may follow each other at once
    after a rest; in any window of w seconds there are at most n + w / interval.

    Args:
        interval_seconds: Time in which a bucket gains one token.
        host_intervals: Other intervals for some hosts.
        burst: Tokens a full bucket holds.
        clock: Monotonic seconds.
        sleep: Waits.
    """

    def __init__(
        self,
        interval_seconds: float,
        host_intervals: Mapping[str, float],
        *,
        burst: int = 1,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Begin with full buckets."""
        self._interval = interval_seconds
        self._host_intervals = dict(host_intervals)
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, key: str) -> None:
        """Sleep until a host's bucket holds a token, and take it."""
        while seconds := self.take(key):
            self._sleep(seconds)

    def take(self, key: str, *, tokens: float = 1.0) -> float:
        """Take tokens of a host's bucket if it holds one now.

        No place in time is promised to anybody: those who waited for theirs while the process stood still, or while the host
        asked for a pause, would all go at once.

        Returns:
            0 when they are taken, else the seconds after which to ask again; somebody else may have been quicker then.
        """
        with self._lock:
            now = self._clock()
            interval = self._host_intervals.get(key, self._interval)
            full_at = max(now, self._full_at.get(key, now))
            wait = full_at - (self._burst - 1) * interval - now
            if wait > 0.0:
                return wait
            self._full_at[key] = full_at + tokens * interval
        return 0.0

    def hold(self, key: str, seconds: float) -> None:
        """Let nobody ask a host for the next `seconds`."""
        with self._lock:
            interval = self._host_intervals.get(key, self._interval)
            empty_until = self._clock() + seconds + (self._burst - 1) * interval
            self._full_at[key] = max(self._full_at.get(key, 0.0), empty_until)


@dataclass
class _State:
    failures: int = 0
    opened_at: float | None = None
    reason: str = ""


class CircuitBreaker:
    """Stops asking a host that fails again and again, so that five hundred requests do not each wait through all attempts.

    After `failures_to_open` requests in a row that failed for good, the circuit is open: requests are refused at once. When
    `cool_down_seconds` have passed, one request is let through; its success closes the circuit, its failure opens it anew.

    Args:
        failures_to_open: Requests in a row that must fail.
        cool_down_seconds: How long the circuit stays open.
        clock: Monotonic seconds.
    """

    def __init__(self, *, failures_to_open: int, cool_down_seconds: float, clock: Callable[[], float]) -> None:
        """Begin closed for every host."""
        self._failures_to_open = failures_to_open
        self._cool_down = cool_down_seconds
        self._clock = clock
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def refusal(self, key: str) -> str | None:
        """Why a host is not asked now; None when it may be."""
        with self._lock:
            state = self._states.get(key)
            if state is None or state.opened_at is None:
                return None
            left = state.opened_at + self._cool_down - self._clock()
            if left <= 0:
                state.opened_at = self._clock()  # one request goes through, the others wait for what comes of it
                return None
            return (
                f"not asked: {state.failures} requests in a row had failed, the next try is in {left:.0f} s; "
                f"the last said: {state.reason}"
            )

    def succeeded(self, key: str) -> None:
        """Note that a host answered."""
        with self._lock:
            self._states.pop(key, None)

    def failed(self, key: str, reason: str, *, is_ban: bool = False) -> None:
        """Note that a request failed for good; a ban opens the circuit at once."""
        with self._lock:
            state = self._states.setdefault(key, _State())
            state.failures += 1
            state.reason = reason
            if is_ban or state.failures >= self._failures_to_open:
                state.opened_at = self._clock()
