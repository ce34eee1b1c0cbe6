"""The ground of all drills: a folder after a first run, the same after an undisturbed week, and the week's run to be disturbed.

Belongs here: folders that are prepared once and kept, starting and ending runs, what a drill reports.
Does not: faults (one module a kind), what is compared (`state.py`).
"""

from __future__ import annotations

import filecmp
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from orchestration.lib.code_version import code_version
from tests.conftest import NEXT_WEEK, REPOSITORY, Finished, Started, Tidemark
from tests.faults.drills.state import Digest, chain_problems, difference, digest_of, published_difference
from tests.watching import log_of

WEEK = {"TIDEMARK_AS_OF": NEXT_WEEK.isoformat()}
"""The run that is disturbed: the week after the first run's."""


class DrillError(AssertionError):
    """Something happened that must not; the message says what.

    Attributes:
        lost: Rows lost, None where they could not be counted.
        wrong: Wrong numbers published, likewise.
    """

    def __init__(self, message: str, *, lost: int | None = None, wrong: int | None = None) -> None:
        super().__init__(message)
        self.lost, self.wrong = lost, wrong


@dataclass(frozen=True)
class Result:
    """One row of the report.

    Attributes:
        name: The drill.
        must: What must happen.
        happened: What happened.
        seconds: How long it took, preparations left out.
        lost: Rows lost, None where a drill that did not hold could not count them.
        wrong: Wrong numbers published, likewise.
        is_held: Whether what must happen happened.
    """

    name: str
    must: str
    happened: str
    seconds: float
    lost: int | None = 0
    wrong: int | None = 0
    is_held: bool = True


@dataclass
class Ground:
    """Folders below one root, made where they are missing.

    Attributes:
        root: Where they lie; `first` and `undisturbed` are only read.
        say: Told what is going on.
    """

    root: Path
    say: Callable[[str], None]
    _given: list[Path] = field(default_factory=list)

    @cached_property
    def first(self) -> Tidemark:
        """A folder after its first run."""
        tidemark = Tidemark(self.root / "first")
        if not self._is_ready("first"):
            self.say("first run (once)")
            shutil.rmtree(tidemark.folder, ignore_errors=True)
            self._make("first", tidemark, {})
        return tidemark

    @cached_property
    def undisturbed(self) -> Tidemark:
        """The same a week later, undisturbed."""
        tidemark = Tidemark(self.root / "undisturbed")
        if not self._is_ready("undisturbed"):
            self.say("undisturbed week (once)")
            shutil.rmtree(tidemark.folder, ignore_errors=True)
            copied = self.first.copy(tidemark.folder)
            self._make("undisturbed", copied, WEEK)
        return tidemark

    @cached_property
    def week_cpu_seconds(self) -> float:
        """Processor seconds that the undisturbed week took, its children included."""
        folder = self.undisturbed.folder
        return float(json.loads((folder.parent / f"{folder.name}.ready.json").read_text())["cpu_seconds"])

    @cached_property
    def digests(self) -> tuple[Digest, Digest]:
        """Of the published copies before and after the undisturbed week."""
        return digest_of(self.first.folder), digest_of(self.undisturbed.folder)

    @contextmanager
    def copy(self, name: str) -> Iterator[Tidemark]:
        """A copy of the first run's folder for one drill, removed behind it."""
        folder = self.root / f"drill-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield self.first.copy(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def call(
        self,
        tidemark: Tidemark,
        *prefix: str,
        command: str = "run",
        week: dict[str, str] | None = None,
        **settings: str,
    ) -> Finished:
        """Run a command to its end, however long it takes: a busy machine is no fault.

        Args:
            tidemark: The folder.
            prefix: A program that runs it, with its arguments (`prlimit`, `faketime`).
            command: Which.
            week: Settings of the week, by default `WEEK`.
            settings: Further settings.
        """
        began = time.monotonic()
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "orchestration.cli", command],
            cwd=REPOSITORY,
            env=tidemark.environment(**((WEEK if week is None else week) | settings)),
            capture_output=True,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def hold_untouched(self, tidemark: Tidemark) -> None:
        """Hold that readers have the week before, and that the chain of manifests is whole.

        Raises:
            DrillError: Something was published, or is broken.
        """
        if (state := self.hold_readable(tidemark)) != "before":
            raise DrillError(f"readers see the week {state} the run that failed")
        if problems := chain_problems(tidemark.folder):
            raise DrillError(f"make verify: {'; '.join(problems)}")

    def hold_readable(self, tidemark: Tidemark) -> str:
        """Hold that readers have the whole first week or the whole second one; returns which."""
        if filecmp.cmp(self.first.published, tidemark.published, shallow=False):
            return "before"  # to the byte, which costs a fiftieth of asking for every row
        found = digest_of(tidemark.folder)
        for name, expected in zip(("before", "after"), self.digests, strict=True):
            if found == expected:
                return name
        for name, known in (("before", self.first), ("after", self.undisturbed)):
            if not published_difference(
                known.folder, tidemark.folder
            ).where:  # last digits, by which rounding may differ
                return name
        before = [table for table in found if found[table] != self.digests[0].get(table)]
        after = [table for table in found if found[table] != self.digests[1].get(table)]
        raise DrillError(f"readers see neither week whole; not as before: {before}; not as after: {after}")

    def complete(self, tidemark: Tidemark, **settings: str) -> Finished:
        """Run the week to its end.

        Raises:
            DrillError: It failed.
        """
        finished = self.call(tidemark, **settings)
        if finished.code != 0:
            raise DrillError(f"the run after it failed: {finished.said[-1500:]}")
        return finished

    def hold_equal(self, tidemark: Tidemark) -> None:
        """Hold that no row is lost and no number wrong against the undisturbed week, and that the chain of manifests is whole.

        Raises:
            DrillError: The chain is broken or something differs.
        """
        if problems := chain_problems(tidemark.folder):
            raise DrillError(f"make verify: {'; '.join(problems)}")
        found = difference(self.undisturbed.folder, tidemark.folder)
        if found.lost or found.wrong:
            raise DrillError(
                f"{found.lost} rows lost, {found.wrong} wrong: {found}", lost=found.lost, wrong=found.wrong
            )

    def _is_ready(self, name: str) -> bool:
        """Whether a folder was prepared, and by this code: what other code made may differ without a fault."""
        ready = self.root / f"{name}.ready.json"
        return ready.exists() and json.loads(ready.read_text()).get("code_version") == code_version()

    def _make(self, name: str, tidemark: Tidemark, settings: dict[str, str]) -> None:
        before = _children_cpu_seconds()
        finished = self.call(tidemark, week=settings)
        if finished.code != 0:
            raise DrillError(f"the {name} run failed, so nothing can be drilled: {finished.said[-1500:]}")
        measured = {"seconds": finished.seconds, "cpu_seconds": _children_cpu_seconds() - before}
        (self.root / f"{name}.ready.json").write_text(json.dumps(measured | {"code_version": code_version()}))
        self.say(f"{name}: {measured}")


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_cpu_seconds(pid: int) -> float:
    """Processor seconds that a process and all its descendants have used so far; 0 once it is gone."""
    ticks = 0
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            stat = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, stat[11:15]))  # of its own and of children that have ended, in user and system mode
            waiting += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """Seconds since the block began, as often as asked."""
    began = time.monotonic()
    yield lambda: time.monotonic() - began


def finish(running: Started) -> Finished:
    """Wait for a run to end, however long it takes."""
    code = running.process.wait()
    return Finished(code, running.out.read_text(), running.err.read_text(), time.monotonic() - running.began)


def wait_for_step(tidemark: Tidemark, running: Started, step: str) -> None:
    """Wait until a run has begun a step.

    Raises:
        DrillError: The run ended before.
    """
    while f"{step} - STEP_START" not in log_of(tidemark.folder):
        if running.process.poll() is not None:
            raise DrillError(f"the run ended before {step}: {finish(running).said[-1500:]}")
        time.sleep(0.05)


def refusal(finished: Finished, *, names: str) -> str:
    """The line in which a command that could not work says why; step failures stand above the last line.

    Args:
        finished: The command.
        names: Part of the line, what it must name.

    Raises:
        DrillError: It ended well, showed a stack trace, or did not name the cause.
    """
    if finished.code == 0:
        raise DrillError(f"it ended well, and should have named {names!r}: {finished.said[-800:]}")
    if "Traceback (most recent call last)" in finished.err:
        raise DrillError(f"a stack trace in the place of a line: {finished.err[-1500:]}")
    lines = [line.strip() for line in (finished.out + finished.err).splitlines() if names in line]
    if not lines:
        raise DrillError(f"nothing names {names!r}: {finished.said[-1500:]}")
    return lines[-1][:300]
