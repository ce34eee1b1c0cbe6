"""Performs the fault drills and writes their table: `python -m tests.faults.drills [NAME ...] [--root FOLDER]`.

Results are kept in the root, one file a drill: a call without names does the drills that have none yet, so an evening of drills that was
stopped goes on where it was; names do theirs again. After every drill the table is written into the root; into docs/ when all have
been performed, or when `--report-only` asks for what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from orchestration.lib.code_version import code_version
from orchestration.sandbox.lies import LIES
from tests.conftest import REPOSITORY, TOKENS
from tests.faults.drills.clocks import clock
from tests.faults.drills.crowd import crowd
from tests.faults.drills.damage import corrupt_model, corrupt_warehouse, landing_files
from tests.faults.drills.disks import full_disk, read_only_folder
from tests.faults.drills.ground import DrillError, Ground, Result
from tests.faults.drills.kills import PARTS, kills_at_random_instants, terminated_while_publishing
from tests.faults.drills.lies import LIARS, lies
from tests.faults.drills.memory import out_of_memory
from tests.faults.drills.missed import five_weeks
from tests.faults.drills.report import REPORT, write_report

Drill = Callable[[Ground], Result | list[Result]]

DRILLS: dict[str, Drill] = {
    "disk": full_disk,
    "read-only": read_only_folder,
    "landing": landing_files,
    "warehouse": corrupt_warehouse,
    "model": corrupt_model,
    "crowd": crowd,
    "clock": clock,
    "memory": out_of_memory,
    "sigterm": terminated_while_publishing,
    "missed": five_weeks,
    **{
        f"lie-{kind.value.replace('_', '-')}-{liar}": partial(lies, liars=(liar,), kinds=(kind,))
        for kind in LIES
        for liar in LIARS
    },
    **{f"kills-{part}": partial(kills_at_random_instants, part=part) for part in range(1, PARTS + 1)},
}
"""By name, the longest last."""


def main(arguments: list[str]) -> int:
    """Perform drills; the exit code is 0 where all that were performed hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drills", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(DRILLS)}; by default those without a result"
    )
    parser.add_argument("--root", type=Path, help="where prepared folders and results are kept")
    parser.add_argument("--report-only", action="store_true", help="write the table of the results that are there")
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.names) - set(DRILLS)):
        parser.error(f"no drill {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    root = chosen.root or Path(tempfile.gettempdir()) / f"tidemark-drills-{os.getuid()}"
    root.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:7.0f} s  {text}\n")
        sys.stdout.flush()

    ground = Ground(root, say)
    names = [] if chosen.report_only else chosen.names or [name for name in DRILLS if not _file(root, name).exists()]
    failed = []
    for name in names:
        failed += [] if _perform(ground, name, DRILLS[name]) else [name]
        write_report(_done(root), expected=list(DRILLS), tokens=TOKENS, path=root / REPORT.name)
    done = _done(root)
    path = REPORT if chosen.report_only or len(done) == len(DRILLS) else root / REPORT.name
    write_report(done, expected=list(DRILLS), tokens=TOKENS, path=path)
    say(f"{len(names)} drills, {len(failed)} not held{': ' + ', '.join(failed) if failed else ''}; {path}")
    return 1 if failed else 0


def _perform(ground: Ground, name: str, drill: Drill) -> bool:
    """Do a drill and keep its results; what it raises is a result too: it did not hold."""
    ground.say(f"drill {name}")
    _ = ground.digests  # preparations are no part of a drill
    began = time.monotonic()
    try:
        outcome = drill(ground)
        results = outcome if isinstance(outcome, list) else [outcome]
    except Exception as error:
        traceback.print_exc()
        said = " ".join(str(error).split())[:400]
        lost, wrong = (error.lost, error.wrong) if isinstance(error, DrillError) else (None, None)
        seconds = time.monotonic() - began
        results = [Result(name, "", f"NOT HELD: {said}", seconds, lost=lost, wrong=wrong, is_held=False)]
    kept = {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "code_version": code_version(),
        "commit": _commit(),
        "results": [asdict(result) for result in results],
    }
    _file(ground.root, name).write_text(json.dumps(kept, indent=1))
    for result in results:
        ground.say(f"{'held' if result.is_held else 'NOT HELD'}: {result.name}: {result.happened}")
    return all(result.is_held for result in results)


def _done(root: Path) -> dict[str, Any]:
    """The results that are there, in the order of the drills, without the place of the root on this machine."""
    files = {name: _file(root, name) for name in DRILLS}
    return {
        name: json.loads(file.read_text().replace(f"{root.resolve()}/", ""))
        for name, file in files.items()
        if file.exists()
    }


def _file(root: Path, name: str) -> Path:
    return root / f"result-{name}.json"


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "no repository"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
