"""Releases out of a series of tokens unlocked so far, for schedules that list no releases.

Belongs here: steps and ramps of a cumulative series. Does not: where the series comes from (`unlocks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, zip_longest
from typing import Any, Final

from orchestration.sources.validation import UnreadableValueError, read_number, read_unix

EQUAL_RATES: Final = 1e-3
"""Relative difference up to which two steps belong to one ramp; DefiLlama's own threshold."""
NOTHING: Final = 1e-9
"""Part of the whole series below which a step is rounding."""


@dataclass(frozen=True, slots=True)
class Release:
    """Tokens released at once (`ends_at` None) or evenly between two instants."""

    starts_at: datetime
    ends_at: datetime | None
    amount: float

    def as_row(self) -> dict[str, Any]:
        """Columns of `defillama/unlock_events`."""
        kind = "cliff" if self.ends_at is None else "linear"
        return {"starts_at": self.starts_at, "ends_at": self.ends_at, "unlock_type": kind, "amount_tokens": self.amount}


@dataclass(slots=True)
class _Run:
    """Neighbouring differences of one rate: those between point `first` and point `last`."""

    first: int
    last: int
    amount: float
    rate: float

    @property
    def is_ramp(self) -> bool:
        return self.last - self.first > 1

    def touches(self, later: _Run | None) -> bool:
        return later is not None and later.first == self.last


def releases_of_series(points: Any) -> list[Release]:
    """Split the differences of a series into steps and ramps; their amounts add up to the series' last value.

    Two or more differences of the same rate in a row are one ramp. A single difference is a step, dated when it has happened.
    Next to a ramp it may be more: between two ramps of one rate, only what it has above that rate is a step; and a slower one
    is a part of the ramp, whose first or last day was not a whole one.

    Args:
        points: `[{"timestamp": seconds, "unlocked": tokens so far}]`.

    Raises:
        UnreadableValueError: A point cannot be read, times do not rise, or the series falls.
    """
    times, totals = _read_series(points)
    if not times:
        return []
    smallest = NOTHING * totals[-1]
    found = [Release(times[0], None, totals[0])] if totals[0] > smallest else []
    ramps: list[_Run] = []
    runs = _runs(times, totals, smallest=smallest)
    for run, following in zip_longest(runs, runs[1:]):
        before = ramps[-1] if ramps and ramps[-1].touches(run) else None
        after = following if following is not None and following.is_ramp and run.touches(following) else None
        if run.is_ramp:
            if before and _are_equal(before.rate, run.rate):  # a step lay between the two
                before.last, before.amount = run.last, before.amount + run.amount
            else:
                ramps.append(run)
        elif before and after and _are_equal(before.rate, after.rate) and run.rate > before.rate:
            ramped = before.rate * (times[run.last] - times[run.first]).total_seconds()
            before.last, before.amount = run.last, before.amount + ramped
            found.append(Release(times[run.last], None, run.amount - ramped))
        elif before and run.rate < before.rate:
            before.amount += run.amount
        elif after and run.rate < after.rate:
            after.amount += run.amount
        else:
            found.append(Release(times[run.last], None, run.amount))
    found += [Release(times[ramp.first], times[ramp.last], ramp.amount) for ramp in ramps]
    return sorted(found, key=lambda release: (release.starts_at, release.ends_at is not None))


def _read_series(points: Any) -> tuple[list[datetime], list[float]]:
    if not isinstance(points, list):
        raise UnreadableValueError("data is no list")
    times, totals = [], []
    for point in points:
        if not isinstance(point, dict):
            raise UnreadableValueError("point is no object")
        total = read_number(point.get("unlocked"), column="unlocked")
        if total is None:
            raise UnreadableValueError("unlocked is missing")
        times.append(read_unix(point.get("timestamp"), column="timestamp", text_allowed=True))
        totals.append(total)
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise UnreadableValueError("timestamp does not rise")
    if totals and min(later - earlier for earlier, later in pairwise([0.0, *totals])) < -NOTHING * max(totals):
        raise UnreadableValueError("unlocked falls")
    return times, totals


def _runs(times: list[datetime], totals: list[float], *, smallest: float) -> list[_Run]:
    """Differences above rounding, neighbours of one rate together."""
    runs: list[_Run] = []
    for point, ((begins, before), (ends, after)) in enumerate(pairwise(zip(times, totals, strict=True)), start=1):
        amount = after - before
        if amount <= smallest:
            continue
        rate = amount / (ends - begins).total_seconds()
        if runs and runs[-1].last == point - 1 and _are_equal(runs[-1].rate, rate):
            runs[-1].last, runs[-1].amount = point, runs[-1].amount + amount
        else:
            runs.append(_Run(point - 1, point, amount, rate))
    return runs


def _are_equal(one: float, other: float) -> bool:
    return abs(one - other) <= EQUAL_RATES * max(one, other)
