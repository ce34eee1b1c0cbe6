"""Children that must not outlive the run that started them, however it ends.

A run killed with `kill -9` ends nobody: dbt would go on for minutes as the writer of the warehouse, and the next run could
not open it. A guard process waits on a pipe that the operating system closes when the run is gone, and then ends the child.

Belongs here: the guard. Does not: starting dbt (`orchestration/defs/warehouse`), the run lock (`run_lock.py`).
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

GUARD = """
import contextlib, os, signal, sys
if not sys.stdin.buffer.read():
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(sys.argv[1]), signal.SIGKILL)
"""
"""A farewell on the pipe means that the child ended in order; its end without one, that the run died."""


@contextmanager
def killed_with_us(pid: int) -> Iterator[None]:
    """Kill a child when this process dies inside the block; the block itself ends only when the child has.

    Args:
        pid: The child.
    """
    guard = subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-I", "-S", "-c", GUARD, str(pid)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield
    finally:
        guard.communicate(b"farewell")
