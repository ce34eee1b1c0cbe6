"""When a rebalance is determined, announced and effective.

Belongs here: the three instants of each rebalance that a calendar names, read off the code that trades (`schedule.py`).
Does not: what is decided (`decision.py`), retries of an index that found too few constituents (`schedule.py`).

A rule index trades at the close it decides on, as the published indices that it repeats do: who wants to follow it learns of the
rebalance from the run after. A model-driven index decides on Monday 00:00 UTC and trades a day later.
"""

import datetime as dt
from dataclasses import dataclass

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.schedule import LONGEST_PAUSE, ONE_WEEK, calendar_instants, is_review
from models_ml.indices.state import ONE_DAY, midnight


@dataclass(frozen=True)
class Timing:
    """The instants of one rebalance, each 00:00 UTC.

    Attributes:
        determined_at: Nothing known later enters the decision.
        announced_from: as_of of the week that publishes it; the run of that week does, within 48 hours where it is on time.
        effective_at: From here on the targets hold; trades are priced at the close that ends here.
        is_review: Whether members are chosen anew; else those of before are weighted anew.
    """

    determined_at: dt.datetime
    announced_from: dt.datetime
    effective_at: dt.datetime
    is_review: bool


def timings(definition: IndexDefinition, after: dt.datetime, until: dt.datetime) -> list[Timing]:
    """Rebalances effective after one midnight (UTC) and up to another; of a model-driven index all Mondays on which it may trade."""
    if definition.is_model_driven:
        return [_decided_on(day) for day in _mondays(after.date() - ONE_DAY, until.date() - ONE_DAY)]
    return [
        Timing(instant, _next_monday(instant), instant, is_review(definition.calendar, instant))
        for instant in calendar_instants(definition.calendar, after, until)
    ]


def next_timing(definition: IndexDefinition, after: dt.datetime) -> Timing:
    """The first rebalance effective after a midnight (UTC)."""
    return timings(definition, after, after + LONGEST_PAUSE)[0]


def _decided_on(monday: dt.date) -> Timing:
    decided = midnight(monday)
    return Timing(decided, decided, decided + ONE_DAY, is_review=True)


def _mondays(after: dt.date, until: dt.date) -> list[dt.date]:
    """Mondays after a day, up to another."""
    first = after + ONE_DAY * (7 - after.weekday())
    return [first + ONE_WEEK * number for number in range((until - first).days // 7 + 1)]


def _next_monday(instant: dt.datetime) -> dt.datetime:
    """The Monday 00:00 UTC at an instant or after it."""
    return instant + ONE_DAY * (-instant.weekday() % 7)
