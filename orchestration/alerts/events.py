"""What an alert can be about: kinds of events, and one event with its key.

Belongs here: the kinds, what makes two events the same. Does not: finding events (`market_events.py`, `run_events.py`, `own_events.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from orchestration.alerts.text import plain

MARKET_KINDS: Final = {
    "signal_flips": "Calls that changed",
    "index_changes": "Index changes",
    "moonshot_entries": "New on the moonshot list",
    "sector_turns": "Sectors that turned",
}
RUN_KINDS: Final = {
    "failed_runs": "A run failed",
    "blocked_checks": "A check stopped a run",
    "late_weeks": "A week is late",
}
KINDS: Final = MARKET_KINDS | RUN_KINDS
"""Kind -> title of its message."""

LONG_TEXTS: Final = {"rationale": 500, "reason": 240, "error": 300, "verdict": 300, "detail": 200}
"""Characters of facts that are sentences; other texts are names and cut sooner."""

LONGEST_NAME: Final = 80

Fact = str | float | int | bool | None


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: One of `KINDS`, or the name of the user's own alert.
        key: What makes it the same event when it is found again, in whatever version of its week.
        week: The Monday whose publication told it; None where it is no matter of a week.
        facts: What a template can say; texts are harmless, days and instants are texts, what is not known is None.
    """

    kind: str
    key: str
    week: date | None
    facts: dict[str, Fact]


def key_of(kind: str, *identity: object) -> str:
    """The key of an event, from what identifies it as the data have it: made harmless, two names could become one."""
    return "|".join([kind, *map(str, identity)])


def event(kind: str, *identity: object, week: date | None, facts: Mapping[str, Any]) -> Event:
    """An event whose key is its kind and what identifies it; texts among the facts are made harmless."""
    harmless = {name: _fact(value, longest=LONG_TEXTS.get(name, LONGEST_NAME)) for name, value in facts.items()}
    return Event(kind, key_of(kind, *identity), week, harmless)


def _fact(value: Any, *, longest: int) -> Fact:
    """A value that survives being written down and read again."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, date):
        return value.isoformat()
    return plain(value, longest=longest)
