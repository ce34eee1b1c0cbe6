"""Which week should be published by now, and whether to start a run for it: what the schedule and its catch-up ask.

Belongs here: the calendar of the weekly run, and the decision between starting, waiting and leaving it to a person.
Does not: looking (`defs/automation/catch_up.py`), starting anything, which weeks can be built (`week_choice.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from orchestration.lib.week_choice import SIMULATED_END, choose_week
from orchestration.lib.weeks import WEEK, instant_of, monday_of
from orchestration.settings import Settings

WEEKLY_RUN_AFTER: Final = timedelta(hours=1, minutes=15)
"""From Monday 00:00 UTC to the start of the weekly run (`weekly_schedule`)."""

ON_TIME: Final = timedelta(minutes=5)
"""How late a tick of the schedule may start a run; later ones, after an outage, are the matter of the catch-up, of which there is one."""

LATE_AFTER: Final = timedelta(hours=6)
"""From the time of its run to when a week that is not published is late; the rules of alerts may say another."""

FIRST_WAIT: Final = timedelta(minutes=15)
LONGEST_WAIT: Final = timedelta(hours=6)
"""Between the end of a failed run of a week and the next try: doubled with every one that failed."""

WEEK_TAG: Final = "tidemark/week"
"""Tag of scheduled runs: the Monday they are for."""

STOPPED_TAG: Final = "tidemark/stopped_by"
"""Tag of runs that the service took along when it was stopped: nobody wanted the run itself to end."""


@dataclass(frozen=True)
class Attempt:
    """A run that was started for a week.

    Attributes:
        status: How it stands, as Dagster calls it: SUCCESS, FAILURE, CANCELED, STARTED and so on.
        ended_at: When it ended, UTC; None while it runs or where nobody noted it.
        is_stopped: Whether it ended because the service was stopped.
    """

    status: str
    ended_at: datetime | None
    is_stopped: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether to start a run now, and why in words."""

    is_start: bool
    reason: str


def moves_with_calendar(settings: Settings, *, now: datetime) -> bool:
    """Whether a new week comes by itself: live, or simulated while the clock stands within the simulated market (a drill sets it)."""
    if settings.source == "simulated":
        return settings.simulation.start <= now.date() < SIMULATED_END + WEEK
    return settings.source == "live"


def due_week(settings: Settings, *, now: datetime) -> date:
    """The Monday whose run should have begun by now.

    Where data do not move with the calendar it is the week of AS_OF, by default the newest there is: of an archive that of its last
    close, so that files added to it make a week due.

    Args:
        settings: Settings of the service.
        now: Current instant, UTC.
    """
    if moves_with_calendar(settings, now=now):
        return monday_of((now - WEEKLY_RUN_AFTER).date())
    return choose_week(settings, today=now.date()).week


def newest_owed(*, now: datetime, late_after: timedelta = LATE_AFTER) -> date:
    """The newest Monday whose week is late if it is not published by now, where data move with the calendar.

    Args:
        now: Current instant, UTC.
        late_after: From the time of a week's run to when it is late.
    """
    return monday_of((now - WEEKLY_RUN_AFTER - late_after).date())


def is_turn_of_schedule(settings: Settings, week: date, *, now: datetime) -> bool:
    """Whether the schedule itself still starts the run of a week."""
    return moves_with_calendar(settings, now=now) and now <= instant_of(week) + WEEKLY_RUN_AFTER + ON_TIME


def decide(
    week: date, *, published: date | None, attempts: Sequence[Attempt], is_busy: bool, now: datetime
) -> Decision:
    """Whether the run of a due week is to be started, again or for the first time.

    Args:
        week: The week that is due.
        published: The newest published week, None before the first.
        attempts: Runs started for it by the schedule or the catch-up, newest first.
        is_busy: Whether a run is under way in the data folder, whoever started it.
        now: Current instant, UTC.
    """
    if published is not None and published >= week:
        return Decision(is_start=False, reason=f"week {week} is published")
    if is_busy:
        return Decision(is_start=False, reason=f"week {week} is due; a run is under way")
    own = [attempt for attempt in attempts if not attempt.is_stopped]
    if not own:
        return Decision(is_start=True, reason=f"week {week} is due and was not run to its end")
    newest = own[0]
    if newest.status == "CANCELED":
        return Decision(is_start=False, reason=f"week {week} is due; its run was cancelled by hand, start it by hand")
    wait = min(FIRST_WAIT * 2 ** (len(own) - 1), LONGEST_WAIT)
    if newest.ended_at is not None and now < newest.ended_at + wait:
        again = newest.ended_at + wait
        return Decision(
            is_start=False,
            reason=f"week {week} is due; run {len(own)} of it did not publish it, the next begins after {again:%a %H:%M} UTC",
        )
    return Decision(is_start=True, reason=f"week {week} is due and not published after {len(own)} runs")
