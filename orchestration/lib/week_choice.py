"""Which week a run is for: AS_OF floored to its Monday, or the default of the data source.

Belongs here: bounds and defaults by source, and the refusal of weeks that cannot be built.
Does not: reading settings (`settings.py`), calendar arithmetic (`weeks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from orchestration.lib.bulk_import import archive_span, load_mapping
from orchestration.lib.weeks import WEEK, WeekError, monday_of
from orchestration.settings import Settings

SIMULATED_LAST_WEEK = date(2025, 1, 6)
"""Default week of the simulation: three years of history."""
SIMULATED_END = date(2025, 7, 7)
"""The simulated market is generated up to here; later weeks do not exist."""


@dataclass(frozen=True)
class WeekChoice:
    """The week of a run.

    Attributes:
        week: Its Monday.
        first_day: First day of the history that a first run fills.
    """

    week: date
    first_day: date


def choose_week(settings: Settings, *, today: date | None = None) -> WeekChoice:
    """The week that AS_OF or the source's default names.

    Args:
        settings: The run's settings.
        today: Current UTC day; by default from the clock.

    Raises:
        WeekError: AS_OF lies before the data, after them, or in the future.
        MappingError: The archive or its mapping does not fit.
    """
    now = today or datetime.now(UTC).date()
    if settings.source == "simulated":
        first, last, default, end = (
            settings.simulation.start,
            SIMULATED_END,
            SIMULATED_LAST_WEEK,
            "the simulated market ends",
        )
    elif settings.source == "archive":
        folder = settings.archive
        if folder is None or not folder.is_dir():
            raise WeekError(
                f"ARCHIVE={folder} is not a folder; give the folder with the history files, e.g. ARCHIVE=../history"
            )
        first, newest = archive_span(load_mapping(settings.mapping), folder)
        last = monday_of(newest + timedelta(days=1))
        default, end = last, "the archive's last Monday with prices is"
    else:
        last = default = monday_of(now)
        first, end = last - timedelta(days=settings.live_history_days), "the last past Monday is"
    if settings.as_of is None:
        return WeekChoice(default, first)
    week = monday_of(settings.as_of)
    if week > monday_of(now):
        raise WeekError(f"AS_OF={settings.as_of} lies in the future; {end} {last}")
    if week > last:
        raise WeekError(f"AS_OF={settings.as_of} lies after the data; {end} {last}")
    earliest = monday_of(first) + WEEK
    if week < earliest:
        raise WeekError(
            f"AS_OF={settings.as_of} lies before the data, which start on {first}; the first week is {earliest}"
        )
    return WeekChoice(week, first)
