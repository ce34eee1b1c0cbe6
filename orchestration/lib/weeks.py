"""Weeks: Mondays, what AS_OF means for each source, and which weeks a run has to fill.

Belongs here: calendar arithmetic of the weekly grain (design section 5).
Does not: refit dates of models (`models_ml.learning.calendar`), Dagster partitions (`partitions.py`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from orchestration.lib.errors import TidemarkError

WEEK = timedelta(days=7)


class WeekError(TidemarkError):
    """AS_OF names a week that cannot be built."""


def monday_of(day: date) -> date:
    """The Monday of the week a day lies in; AS_OF is floored to it."""
    return day - timedelta(days=day.weekday())


def instant_of(week: date) -> datetime:
    """`as_of` of a week: Monday 00:00 UTC."""
    return datetime.combine(week, time(), UTC)


def mondays(first: date, last: date) -> list[date]:
    """All Mondays from `first` to `last`, both included if they are Mondays."""
    start = monday_of(first) if first == monday_of(first) else monday_of(first) + WEEK
    count = max(0, (last - start).days // 7 + 1)
    return [start + WEEK * step for step in range(count)]
