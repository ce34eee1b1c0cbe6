"""Memory drill: training that gets no more memory.

Belongs here: a limit on the address space of a run that is under way. Does not: how much a run needs (`docs/benchmarks.md`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.faults.drills.ground import WEEK, DrillError, Ground, Result, finish, refusal, timed, wait_for_step

ROOM_MB = 24
"""Megabytes of address space that training may still take: less than one fit of the least market needs."""


def out_of_memory(ground: Ground) -> Result:
    """Take the newest models away, and every new page once the run begins to train them again."""
    with timed() as seconds, ground.copy("memory") as tidemark:
        taken = [max(head.iterdir()) for head in sorted((tidemark.folder / "models").iterdir())]
        for folder in taken:
            shutil.rmtree(folder)
        with tidemark.started("run", **WEEK) as running:
            (tidemark.folder / "run.log").unlink(missing_ok=True)
            wait_for_step(tidemark, running, "learning__models")
            pid = running.process.pid
            found = re.search(r"VmSize:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            if found is None:
                raise DrillError(f"process {pid} has no VmSize")
            limit = (int(found[1]) + ROOM_MB * 1024) * 1024
            subprocess.run(["prlimit", "--pid", str(pid), f"--as={limit}"], check=True)
            finished = finish(running)
        line = refusal(finished, names="memory")
        ground.hold_untouched(tidemark)
        half = [str(path) for path in (tidemark.folder / "models").rglob("*.tmp")]
        ground.complete(tidemark)
        ground.hold_equal(tidemark)
        return Result(
            "out of memory in training",
            "The run fails in one clear line; nothing is half-written; the next run completes as an undisturbed one",
            f'RLIMIT_AS {ROOM_MB} MB above what the run had when training began: exit {finished.code}, "{line[:120]}"; '
            f"{len(half)} temporary files left; then all models trained again to the same versions, complete and equal",
            seconds(),
        )
