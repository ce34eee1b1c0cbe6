"""Clock drills: a clock that steps back or ahead between runs, and hosts that put their clocks forward.

The clock is that of `faketime` (libfaketime), for every process of the run; without it the drill cannot be done and says so.

Belongs here: the clock of the machine. Does not: publication times of sources (`tests/integration/test_truncation.py`).
"""

from __future__ import annotations

import shutil

from tests.faults.drills.ground import DrillError, Ground, Result, refusal, timed

SUMMER_TIME = {"TZ": "America/New_York"}
BEFORE_THE_HOUR_IS_MISSING = "2027-03-14 01:59:40"
"""Twenty seconds before New York's clocks go from 02:00 to 03:00, as that host's own clock shows it."""


def clock(ground: Ground) -> Result:
    """Run the week on a clock three days back, then on one ahead on a host that changes to summer time meanwhile."""
    must = (
        "A clock that went back is refused before anything is recorded; a clock that jumps ahead, and a local hour "
        "that is missing, change nothing"
    )
    faketime = shutil.which("faketime")
    if faketime is None:
        return Result(
            "clock jump, daylight saving",
            must,
            "NOT DONE: faketime is not installed (Debian: faketime)",
            0.0,
            lost=None,
            wrong=None,
            is_held=False,
        )
    with timed() as seconds, ground.copy("clock") as tidemark:
        back = ground.call(tidemark, faketime, "-f", "-3d")
        line = refusal(back, names="clock of this machine")
        ground.hold_untouched(tidemark)
        ground.say(f"back: {line}")
        ahead = ground.call(tidemark, faketime, BEFORE_THE_HOUR_IS_MISSING, **SUMMER_TIME)
        if ahead.code != 0:
            raise DrillError(f"the run ahead failed: {ahead.said[-1500:]}")
        ground.hold_equal(tidemark)
        return Result(
            "clock jump, daylight saving",
            must,
            f"libfaketime: three days back refused after {back.seconds:.0f} s; then a jump of months ahead on a host "
            "in New York whose clock skips "
            "an hour during the run: complete, equal and verified",
            seconds(),
        )
