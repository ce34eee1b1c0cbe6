"""When an index trades: the instants at which a rebalance may take effect within a week.

Belongs here: the calendar rules, the base, and the Mondays on which an index that could not be composed is tried again.
Does not: what is decided then (`decision.py`).

A week W covers the closes of market_date W-7 to W-1, that is the instants after W-7 00:00 up to W 00:00 UTC.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.sections import Calendar
from models_ml.indices.state import ONE_DAY, IndexState, midnight

ONE_WEEK = dt.timedelta(days=7)
SATURDAY = 5
LONGEST_PAUSE = dt.timedelta(days=366 + 31)
"""No calendar lets more time pass between two of its instants: it names at least one month of the year."""


@dataclass(frozen=True)
class Occasion:
    """An instant at which a rule index decides and trades.

    Attributes:
        effective_at: The instant.
        is_retry: Whether it counts only where the index holds no valid basket then.
        is_review: Whether members are chosen anew; else those of before are weighted anew.
    """

    effective_at: dt.datetime
    is_retry: bool = False
    is_review: bool = True


def rule_occasions(definition: IndexDefinition, state: IndexState, week: dt.date) -> list[Occasion]:
    """Instants of a rule index within the week, in order; the Monday itself is a retry unless the calendar names it.

    Before it is started, an index with a base date is tried at that day's close and then on Mondays, one with
    `base.date: auto` on Mondays. The calendar's own instants count from the start on.
    """
    start, end = midnight(week - ONE_WEEK), midnight(week)
    named: list[dt.datetime] = []
    if state.is_started:
        named = calendar_instants(definition.calendar, start, end)
    elif isinstance(definition.base.date, dt.date):
        base = midnight(definition.base.date + ONE_DAY)
        if base > end:
            return []
        named = [base] if base > start else []
    occasions = [Occasion(instant, is_review=is_review(definition.calendar, instant)) for instant in named]
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
    if definition.is_model_driven or definition.components or not applied:
        return None
    due = _newest_instant(definition.calendar, start)
    return due if applied[-1].effective_at < due else None


@lru_cache(maxsize=4096)
def _newest_instant(calendar: Calendar, until: dt.datetime) -> dt.datetime:
    """The calendar's newest instant up to one; there is always one within `LONGEST_PAUSE`."""
    days = (until.date() - ONE_DAY * offset for offset in range(LONGEST_PAUSE.days))
    return next(midnight(day) for day in days if _is_instant(calendar, day))


def calendar_instants(calendar: Calendar, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
    """Instants, 00:00 UTC, that a monthly calendar names after one instant and up to another."""
    days = (after.date() + ONE_DAY * offset for offset in range(1, (until - after).days + 1))
    return [midnight(day) for day in days if _is_instant(calendar, day)]


def is_review(calendar: Calendar, instant: dt.datetime) -> bool:
    """Whether members are chosen anew at an instant of the calendar."""
    return calendar.review_months is None or _named_day(calendar, instant.date()).month in calendar.review_months


def snapshot_days(definition: IndexDefinition, first: dt.date, until: dt.date) -> list[dt.date]:
    """Days whose close the index may decide on, from `first` to the day before `until`: Sundays, its calendar's closes, its base.

    An index that holds indices decides on none.
    """
    if definition.components:
        return []
    days = {first + ONE_DAY * offset for offset in range((until - first).days)}
    chosen = {day for day in days if day.weekday() == SATURDAY + 1}
    if not definition.is_model_driven:
        named = calendar_instants(definition.calendar, midnight(first), midnight(until))
        chosen |= {instant.date() - ONE_DAY for instant in named}
    if isinstance(definition.base.date, dt.date):
        chosen |= {definition.base.date} & days
    return sorted(chosen)


def _named_day(calendar: Calendar, day: dt.date) -> dt.date:
    """The day the calendar's words are about, for the instant that opens `day`: itself, or the business day that ends then."""
    return day if calendar.day == "first" else day - ONE_DAY


def _is_instant(calendar: Calendar, day: dt.date) -> bool:
    return _named_day(calendar, day).month in calendar.months and _is_named(calendar, day)


def _is_named(calendar: Calendar, day: dt.date) -> bool:
    named = _named_day(calendar, day)
    if calendar.day == "first":
        return named.day == 1
    if named.weekday() >= SATURDAY:
        return False
    towards = -1 if calendar.day == "first_business_day" else 1
    others = (named + ONE_DAY * towards * offset for offset in range(1, 31))
    return not any(other.month == named.month and other.weekday() < SATURDAY for other in others)
