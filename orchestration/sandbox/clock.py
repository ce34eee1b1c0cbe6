"""The simulated clock: what a provider shows is what has happened by its `now`.

Belongs here: the settable instant. Does not: what is visible at it (`served.py`), the machine's clock, which nothing
here reads.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

MILLISECONDS_A_DAY = 86_400_000


class SandboxClock:
    """Settable instant in UTC. Setting it is safe from any thread.

    Example:
        >>> clock = SandboxClock(datetime(2025, 1, 6, 6, tzinfo=UTC))
        >>> clock.today, clock.day_fraction
        (datetime.date(2025, 1, 6), 0.25)
    """

    def __init__(self, now: datetime) -> None:
        """Start at an instant that carries its time zone."""
        self._now = _in_utc(now)

    def __repr__(self) -> str:
        """Show the instant."""
        return f"SandboxClock({self._now.isoformat()})"

    @property
    def now(self) -> datetime:
        """The instant everything served is as of."""
        return self._now

    @now.setter
    def now(self, instant: datetime) -> None:
        self._now = _in_utc(instant)

    def advance(self, step: timedelta) -> None:
        """Move forward, or back with a negative step."""
        self._now = self._now + step

    @property
    def today(self) -> date:
        """The UTC day that is not over yet."""
        return self._now.date()

    @property
    def day_fraction(self) -> float:
        """Part of today that has passed, in [0, 1)."""
        midnight = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
        return (self._now - midnight) / timedelta(days=1)

    @property
    def milliseconds(self) -> int:
        """Milliseconds since 1970."""
        return (self._now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(
            f"the sandbox clock got {instant.isoformat()} without a time zone; give datetime(..., tzinfo=UTC)"
        )
    return instant.astimezone(UTC)
