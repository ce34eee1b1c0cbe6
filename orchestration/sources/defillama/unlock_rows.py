"""Rows of unlock schedules while they are read: releases and schedules, and what was refused of which schedule.

Belongs here: one release, the checks between releases. Does not: the answers they come in, and their traps (`unlocks.py`).
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.unlocked_series import releases_of_series
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    read_number,
    read_text,
    read_unix,
    validate,
)

UNLOCK_EVENTS: Final = find_dataset("defillama", "unlock_events")
UNLOCK_SCHEDULES: Final = find_dataset("defillama", "unlock_schedules")

SECONDS_A_WEEK: Final = 604_800
LONGEST_WAIT: Final = timedelta(days=5 * 365)
"""Until the first release of a section; later ones may be decades away."""


class ScheduleRows:
    """Rows of schedules while they are read."""

    def __init__(self, now: datetime) -> None:
        """Begin with none.

        Args:
            now: Instant of the request.
        """
        self._now = now
        self._events: list[dict[str, Any]] = []
        self._schedules: list[dict[str, Any]] = []
        self._refused_events: list[Rejected] = []
        self._refused_schedules: list[Rejected] = []
        self._incomplete: set[str] = set()

    def refuse_schedule(self, reason: str, record: Any) -> None:
        """Refuse a schedule as a whole."""
        self._refused_schedules.append(Rejected.of(reason, record))

    def add_schedule(self, slug: str, coin_id: str | None, token: str | None, **facts: float | date | None) -> None:
        """Add what is said of a schedule as a whole."""
        self._schedules.append({"protocol": slug, "coin_id": coin_id, "token": token, **facts})

    def add_events(self, slug: str, coin_id: str | None, token: str | None, events: Any) -> None:
        """Add `unlockEvents`: cliffs and linear releases by timestamp."""
        whose = {"protocol": slug, "coin_id": coin_id, "token": token}
        if not isinstance(events, list):
            self._refuse(slug, "unlockEvents is no list", {**whose, "unlockEvents": events})
            return
        earliest_after = _earliest_after(events)
        for event, following in zip(events, earliest_after, strict=True):
            try:
                starts_at = _read_start(event)
                if following is not None and starts_at > following:
                    raise UnreadableValueError("timestamp is later than that of an event behind it")
                cliffs, linears = (_allocations(event, name) for name in ("cliffAllocations", "linearAllocations"))
            except UnreadableValueError as error:
                self._refuse(slug, str(error), {**whose, "event": event})
                continue
            for read, allocations in ((_read_cliff, cliffs), (_read_linear, linears)):
                for allocation in allocations:
                    try:
                        release = read(allocation, starts_at)
                    except UnreadableValueError as error:
                        kept = {"timestamp": event.get("timestamp"), "allocation": allocation}
                        self._refuse(slug, str(error), {**whose, **kept})
                        continue
                    if release is not None:
                        self._events.append({**whose, **release})

    def add_series(
        self, slug: str, coin_id: str | None, token: str | None, series: list[Any], *, categories: Any
    ) -> None:
        """Add the releases of sections that no event names; none where events were refused, which may name any."""
        if slug in self._incomplete:
            return
        whose = {"protocol": slug, "coin_id": coin_id, "token": token}
        named = {row["section"] for row in self._events if row["protocol"] == slug}
        by_section = _sections(categories)
        for part in series:
            label = read_text(part.get("label")) if isinstance(part, dict) else None
            if label in named:
                continue
            try:
                if label is None:
                    raise UnreadableValueError("label is missing")
                releases = releases_of_series(part.get("data"))
            except UnreadableValueError as error:
                self._refuse(slug, str(error), {**whose, "section": label})  # without its thousands of points
                continue
            for release in releases:
                self._events.append({**whose, "section": label, "category": by_section.get(label), **release.as_row()})

    def fetched(self) -> tuple[Fetched, Fetched, frozenset[str]]:
        """Releases, schedules, and the slugs of schedules of which nothing was refused."""
        self._refuse_far_ahead()
        events = validate(UNLOCK_EVENTS, _numbered(self._events), now=self._now, rejected=self._refused_events)
        schedules = validate(UNLOCK_SCHEDULES, self._schedules, now=self._now, rejected=self._refused_schedules)
        refused = len(events.rejected) > len(self._refused_events)
        read = {row["protocol"] for row in self._schedules}
        landed = events.frame["protocol"].value_counts().rows()
        counts = Counter(row["protocol"] for row in self._events)
        whole = {slug for slug, rows in landed if rows == counts[slug]} if refused else set(counts)
        return events, schedules, frozenset((whole & read) - self._incomplete)

    def _refuse_far_ahead(self) -> None:
        """Refuse sections that begin years from now: their times are wrong, as nobody plans so far ahead of a first release."""
        first: dict[tuple[str, str | None], datetime] = {}
        for row in self._events:
            section = (row["protocol"], row["section"])
            first[section] = min(first.get(section, row["starts_at"]), row["starts_at"])
        far = {section for section, starts_at in first.items() if starts_at > self._now + LONGEST_WAIT}
        for slug, name in sorted(far, key=str):
            self._refuse(slug, "the section begins more than 5 years ahead", {"protocol": slug, "section": name})
        self._events = [row for row in self._events if (row["protocol"], row["section"]) not in far]

    def _refuse(self, slug: str, reason: str, record: Any) -> None:
        self._incomplete.add(slug)
        self._refused_events.append(Rejected.of(reason, record))


def _read_start(event: Any) -> datetime:
    if not isinstance(event, dict):
        raise UnreadableValueError("event is no object")
    return read_unix(event.get("timestamp"), column="timestamp", text_allowed=True)


def _earliest_after(events: list[Any]) -> list[datetime | None]:
    """Of every event the earliest start among those behind it, as far as they can be read; events come in order of time."""
    found: list[datetime | None] = []
    earliest: datetime | None = None
    for event in reversed(events):
        found.append(earliest)
        try:
            starts_at = _read_start(event)
        except UnreadableValueError:
            continue
        earliest = starts_at if earliest is None else min(earliest, starts_at)
    return found[::-1]


def _allocations(event: dict[str, Any], name: str) -> list[Any]:
    found = event.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise UnreadableValueError(f"{name} is no list")
    return found


def _read_cliff(allocation: Any, starts_at: datetime) -> dict[str, Any] | None:
    amount = read_number(_field(allocation, "amount"), column="amount")
    if amount == 0:
        return None  # a placeholder
    return {**_head(allocation, starts_at), "unlock_type": "cliff", "ends_at": None, "amount_tokens": amount}


def _read_linear(allocation: Any, starts_at: datetime) -> dict[str, Any] | None:
    rate = read_number(_field(allocation, "newRatePerWeek"), column="newRatePerWeek")
    if rate is None:
        raise UnreadableValueError("newRatePerWeek is missing")
    if rate == 0:
        return None  # the end of a release
    ends_at = read_unix(allocation.get("endTimestamp"), column="endTimestamp", text_allowed=True)
    amount = read_number(rate * (ends_at - starts_at).total_seconds() / SECONDS_A_WEEK, column="amount")
    return {**_head(allocation, starts_at), "unlock_type": "linear", "ends_at": ends_at, "amount_tokens": amount}


def _field(allocation: Any, name: str) -> Any:
    if not isinstance(allocation, dict):
        raise UnreadableValueError("allocation is no object")
    return allocation.get(name)


def _head(allocation: dict[str, Any], starts_at: datetime) -> dict[str, Any]:
    return {
        "section": read_text(allocation.get("recipient")),
        "category": read_text(allocation.get("category")),
        "starts_at": starts_at,
    }


def _numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell apart releases of one section, type and start, the largest first, so that the answer's order plays no part."""
    positions: dict[tuple[Any, ...], int] = {}
    numbered = []
    for row in sorted(events, key=lambda row: -(row["amount_tokens"] or 0.0)):
        key = (row["protocol"], row["section"], row["starts_at"], row["unlock_type"])
        positions[key] = positions.get(key, -1) + 1
        numbered.append({**row, "position": positions[key], "is_withdrawn": False})
    return numbered


def _sections(categories: Any) -> dict[str, str]:
    """Category by section, from `{"insiders": ["Team"]}`."""
    if not isinstance(categories, dict):
        return {}
    pairs = ((name, sections) for name, sections in categories.items() if isinstance(sections, list))
    return {section: name for name, sections in pairs for section in sections if isinstance(section, str)}
