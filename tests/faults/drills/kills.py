"""Kill drills: SIGKILL at random instants of a weekly run, and SIGTERM while it publishes.

Belongs here: ending runs at instants that nobody chose. Does not: kills of a backfill or a compaction (`tests/faults/test_killed_*.py`).
"""

from __future__ import annotations

import random
import signal
import time

from tests.faults.drills.ground import WEEK, Ground, Result, finish, timed, tree_cpu_seconds, wait_for_step

PARTS = 5
KILLS = 10
"""Of each part, in a row before a run is let complete: each finds what the ones before it left, which is harder than a clean start."""

SEED = 20250113


def kills_at_random_instants(ground: Ground, *, part: int, kills: int = KILLS) -> Result:
    """Kill a weekly run at seeded random instants; the published copy is read after every one.

    An instant is a number of processor seconds that the run has used, so that the same seed kills at the same work on a busy machine.
    Every other kill takes the run's process alone, as `kill -9` does, the rest its whole process group, as when the machine stops. After
    the last, or once a killed run had published, the run is let complete and compared with the undisturbed one.

    Args:
        ground: Where.
        part: Which of the `PARTS`; each has instants of its own.
        kills: How many.
    """
    chance = random.Random(SEED + part)
    done = published = completed = missed = 0
    with timed() as seconds:
        while done < kills:
            with ground.copy(f"kills-{part}") as tidemark:
                state = "before"
                while done < kills and state == "before":
                    instant = chance.uniform(0.0, ground.week_cpu_seconds)
                    with tidemark.started("run", **WEEK) as running:
                        while running.process.poll() is None and tree_cpu_seconds(running.process.pid) < instant:
                            time.sleep(0.02)
                        if running.process.poll() is not None:
                            missed += 1  # the machine was faster than when the week was measured
                        elif done % 2:
                            running.kill_group()
                        else:
                            running.kill()
                    state = ground.hold_readable(tidemark)
                    done += running.process.returncode == -9
                    ground.say(f"kill {done} after {instant:.1f} processor seconds: readers see the week {state}")
                published += state == "after"
                ground.complete(tidemark)
                ground.hold_equal(tidemark)
                completed += 1
                ground.say(f"completed and equal after {done} kills, {seconds():.0f} s")
        happened = (
            f"{done} kills (seed {SEED + part}, every other one of the whole process group) over the "
            f"{ground.week_cpu_seconds:.0f} processor seconds of a run: the "
            f"published copy was whole after each, {published} times already the new week; then let complete, {completed} completed runs, "
            "each equal to the undisturbed one and verified"
        )
        return Result(
            f"kill -9 at {kills} random instants, {part} of {PARTS}",
            "Readers have one whole week after every kill; the repeated run ends as an undisturbed one",
            happened + (f"; {missed} instants came after the end of the run" if missed else ""),
            seconds(),
        )


def terminated_while_publishing(ground: Ground, *, times: int = 2) -> Result:
    """SIGTERM a moment after the step that publishes began, as when a machine is shut down; then let the week complete."""
    chance = random.Random(SEED)
    ended = []
    with timed() as seconds, ground.copy("terminated") as tidemark:
        for _ in range(times):
            with tidemark.started("run", **WEEK) as running:
                (tidemark.folder / "run.log").unlink(missing_ok=True)
                wait_for_step(tidemark, running, "published__warehouse")
                time.sleep(chance.uniform(0.0, 4.0))
                running.process.send_signal(signal.SIGTERM)
                finished = finish(running)
            state = ground.hold_readable(tidemark)
            ended.append(f"exit {finished.code}, readers see the week {state}")
            ground.say(f"SIGTERM: {ended[-1]}")
            if state == "after":
                break
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "SIGTERM during publish",
            "Readers have one whole week; the lock is free at once; the next run completes as an undisturbed one",
            f"{'; '.join(ended)}; then complete, equal and verified",
            seconds(),
        )
