"""One target for some processor time, every distinct defect noted once: what `python -m tests.fuzz` starts for each.

Belongs here: the two engines, and the counts they give back as JSON. Does not: the table of results (`__main__.py`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.judgement import DefectError

LONGEST_PROGRAM = 64


class Tally:
    """Inputs tried, how many were read, and the first input of every distinct defect, by its signature."""

    def __init__(self, target: str) -> None:
        from tests.fuzz.targets import try_target  # imported late, so that atheris can watch what it imports

        self._try = try_target
        self.target = target
        self.tried = self.read = 0
        self.defects: dict[str, str] = {}

    def try_one(self, program: bytes) -> None:
        """Give the target an input."""
        self.tried += 1
        try:
            self.read += self._try(self.target, program).is_accepted
        except DefectError as error:
            self.defects.setdefault(str(error)[:300], program.hex())

    def save(self, path: Path) -> None:
        """Write the counts."""
        content: dict[str, Any] = {"tried": self.tried, "read": self.read, "defects": self.defects}
        path.write_text(json.dumps(content, indent=1))


def with_hypothesis(tally: Tally, *, seconds: float) -> None:
    """Draw programs with hypothesis until the processor time is used."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    end = time.process_time() + seconds

    def draw(program: bytes) -> None:
        if time.process_time() < end:
            tally.try_one(program)

    quiet = settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    while time.process_time() < end:
        quiet(given(program=st.binary(max_size=LONGEST_PROGRAM))(draw))()


def with_atheris(tally_of: Callable[[], Tally], path: Path, *, seconds: float) -> None:
    """Let atheris look for programs that reach new lines of ours; the process ends with it."""
    import atheris

    with atheris.instrument_imports(include=["orchestration.sources", "orchestration.lib", "models_ml"]):
        tally = tally_of()
    end = time.process_time() + seconds

    def one(program: bytes) -> None:
        tally.try_one(program)
        if time.process_time() > end:
            tally.save(path)
            os._exit(0)  # the engine has no other way to stop by the time that was used

    limits = [f"-max_len={LONGEST_PROGRAM}", "-rss_limit_mb=3000", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *limits], one)
    atheris.Fuzz()


def main() -> None:
    """`python -m tests.fuzz.campaign hypothesis|atheris TARGET SECONDS FILE`."""
    engine, target, seconds, file = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("error")
    if engine == "atheris":
        with_atheris(lambda: Tally(target), Path(file), seconds=float(seconds))
    tally = Tally(target)
    with_hypothesis(tally, seconds=float(seconds))
    tally.save(Path(file))


if __name__ == "__main__":
    main()
