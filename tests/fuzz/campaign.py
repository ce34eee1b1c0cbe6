"""Some targets for some processor time, every distinct defect noted once: what `python -m tests.fuzz` starts.

Belongs here: the two engines, and the counts they give back as JSON. Does not: how time is shared out, the table of results
(`__main__.py`).

Of a program the first byte chooses the target, so that one process, which takes seconds to load everything, serves many.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.defect import DefectError

LONGEST_PROGRAM = 64


@dataclass
class Count:
    """Of one target: inputs tried, how many were read, and the first input of every distinct defect, by what it is."""

    tried: int = 0
    read: int = 0
    defects: dict[str, str] = field(default_factory=dict)


class Tally:
    """Counts of targets.

    Args:
        names: The targets.
    """

    def __init__(self, names: Sequence[str]) -> None:
        from tests.fuzz.targets import try_target  # imported late, so that atheris can watch what it imports

        self._try = try_target
        self._names = names
        self.counts = {name: Count() for name in self._names}

    def try_one(self, program: bytes) -> None:
        """Give a target an input."""
        target = self._names[program[0] % len(self._names) if program else 0]
        count = self.counts[target]
        count.tried += 1
        try:
            count.read += self._try(target, program[1:]).is_accepted
        except DefectError as error:
            count.defects.setdefault(str(error)[:300], program[1:].hex())

    def save(self, path: Path) -> None:
        """Write the counts."""
        path.write_text(json.dumps({name: asdict(count) for name, count in self.counts.items()}, indent=1))


def with_hypothesis(tally: Tally, path: Path, *, seconds: float) -> None:
    """Draw programs with hypothesis until the processor time is used."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    end = time.process_time() + seconds

    def draw(program: bytes) -> None:
        if time.process_time() < end:
            tally.try_one(program)

    quiet = settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while time.process_time() < end:
        quiet(given(program=st.binary(min_size=1, max_size=LONGEST_PROGRAM))(draw))()
        tally.save(path)


def with_atheris(tally_of: Callable[[], Tally], path: Path, *, seconds: float) -> None:
    """Let atheris look for programs that reach new lines of ours; the process ends with it."""
    import atheris

    with atheris.instrument_imports(include=["orchestration.sources", "orchestration.lib", "models_ml"]):
        tally = tally_of()
    end = time.process_time() + seconds
    runs = 0

    def one(program: bytes) -> None:
        nonlocal runs
        runs += 1
        tally.try_one(program)
        if runs % 50 == 0:  # the engine ends the process at what it takes for a crash
            tally.save(path)
        if time.process_time() > end:
            tally.save(path)
            os._exit(0)  # the engine has no other way to stop by the time that was used

    kept = f"-artifact_prefix={path.parent}/"  # inputs that the engine calls slow
    limits = [f"-max_len={LONGEST_PROGRAM}", "-len_control=0", "-rss_limit_mb=3000", "-verbosity=0", kept]
    atheris.Setup([sys.argv[0], *limits], one)
    atheris.Fuzz()


def main() -> None:
    """`python -m tests.fuzz.campaign hypothesis|atheris SECONDS FILE TARGET ...`."""
    engine, seconds, file, *names = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    path = Path(file)
    if engine == "atheris":
        with_atheris(lambda: Tally(names), path, seconds=float(seconds))
    with_hypothesis(Tally(names), path, seconds=float(seconds))


if __name__ == "__main__":
    main()
