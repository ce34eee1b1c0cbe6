"""When an index trades: the instants at which a rebalance may take effect within a week.

Belongs here: the calendar rules, the base, and the Mondays on which an index that could not be composed is tried again.
Does not: what is decided then (`decision.py`).

A week W covers the closes of market_date W-7 to W-1, that is the instants after W-7 00:00 up to W 00:00 UTC.
"""

import datetime as dt
from dataclasses import dataclass

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.state import ONE_DAY, IndexState, midnight

ONE_WEEK = dt.timedelta(days=7)


@dataclass(frozen=True)
class Occasion:
    """An instant at which a rule index decides and trades; a retry only where it holds no valid basket then."""

    effective_at: dt.datetime
    is_retry: bool = False


def rule_occasions(definition: IndexDefinition, state: IndexState, week: dt.date) -> list[Occasion]:
    """Instants of a rule index within the week, in order; the Monday itself is a retry unless the calendar names it.

    Before it is started, an index with a base date is tried at that day's close and then on Mondays, one with
    `base.date: auto` on Mondays. The calendar's own instants count from the start on.
    """
    start, end = midnight(week - ONE_WEEK), midnight(week)
    named: list[dt.datetime] = []
    if state.is_started:
        named = month_starts(start, end)
    elif isinstance(definition.base.date, dt.date):
        base = midnight(definition.base.date + ONE_DAY)
        if base > end:
            return []
        named = [base] if base > start else []
    occasions = [Occasion(instant) for instant in named]
    return occasions if end in named else [*occasions, Occasion(end, is_retry=True)]


def trades_before_base(definition: IndexDefinition, week: dt.date) -> bool:
    """Whether a decision made at the end of the week would trade, at the close of that Monday, before the base date."""
    return isinstance(definition.base.date, dt.date) and definition.base.date > week


def missed_rebalance(definition: IndexDefinition, state: IndexState, week: dt.date) -> dt.datetime | None:
    """The calendar's newest instant before the week if the index made no rebalance since, else None.

    It tells from published rows alone that a rule index found too few constituents and is still without a valid basket.
    """
    start = midnight(week - ONE_WEEK)
    applied = state.applied(start)
    if definition.is_model_driven or not applied:
        return None
    due = start.replace(day=1)
    return due if applied[-1].effective_at < due else None


def month_starts(after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """First days of months, 00:00 UTC, after one instant and up to another."""
    days = (after.date() + ONE_DAY * offset for offset in range(1, (until - after).days + 1))
    return [midnight(day) for day in days if day.day == 1]
