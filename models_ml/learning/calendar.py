"""Refit dates and what a model refitted on one may have seen.

Belongs here: the fixed refit calendar, horizons, purge and embargo, and how often may be tuned.
Does not: training (`ranking.py`, `moves.py`, `price_ranges.py`), weeks of a run (`orchestration/lib/weeks.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

TRADER_HORIZON_DAYS = 14
"""How far the label of the Trader Grade and of the calls looks ahead."""

INVESTOR_HORIZON_DAYS = 90
"""How far the label of the Investor Grade looks ahead."""

RANGE_HORIZONS_DAYS = (7, 14, 30, 90)
"""How far the price ranges look ahead."""

LAG_DAYS = 1
"""A call made at a close can be traded a day later: labels and evaluation allow for it."""

EMBARGO_DAYS = 1
"""Days left between the end of the last label and the refit (López de Prado, Advances in Financial Machine Learning, ch. 7)."""

EXPIRES_AFTER_DAYS = 200
"""Days after its refit that a model is trusted in full: two quarters and a little, so that one missed refit is no alarm and two are."""

TUNING_TRIALS_A_YEAR = 30
"""Trials of the tuning of a calendar year at most: the more are tried, the more the best of them owes to luck."""

QUARTER_MONTHS = (1, 4, 7, 10)


def purge_days(horizon_days: int) -> int:
    """Days before a refit whose rows it may not train on: their labels end later than the refit minus the embargo."""
    return horizon_days + LAG_DAYS + EMBARGO_DAYS


def expires_date(refit: date) -> date:
    """Last day a model of a refit is trusted in full; it scores on after it, at a capped confidence."""
    return refit + timedelta(days=EXPIRES_AFTER_DAYS)


def first_monday(year: int, month: int) -> date:
    """First Monday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(7 - first.weekday()) % 7)


def refit_dates(first: date, last: date) -> list[date]:
    """First Mondays of the calendar quarters from `first` to `last`, both included.

    They depend on the calendar alone, never on how much data there is: the same in history and live.
    """
    candidates = [first_monday(year, month) for year in range(first.year, last.year + 1) for month in QUARTER_MONTHS]
    return [candidate for candidate in candidates if first <= candidate <= last]


def refit_in_force(day: date) -> date:
    """The newest refit date on or before a day."""
    return refit_dates(date(day.year - 1, 1, 1), day)[-1]


def newest_refit(refits: Iterable[date], day: date) -> date | None:
    """The newest of some refit dates on or before a day; None before the first."""
    return max((refit for refit in refits if refit <= day), default=None)


def training_end(refit: date, *, horizon_days: int) -> date:
    """Last `as_of_week` a refit may train on: its label has ended before the refit minus the embargo.

    The close of week W is that of the day before, so its lagged label ends at the close of W - 1 + horizon + lag.
    """
    latest = refit - timedelta(days=purge_days(horizon_days))
    return latest - timedelta(days=latest.weekday())
