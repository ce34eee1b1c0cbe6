"""One service at a time: an OS file lock in the data folder, and who holds it.

Two daemons on one folder would start every scheduled run twice. The lock is `flock` on `serve.lock`, which the operating system frees
however the holder ends; `serve.json` beside it says who and where it is, for messages and for `tidemark health`.

Belongs here: taking and naming the lock. Does not: the lock of a run (`run_lock.py`), what is served (`orchestration/service`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout, UnixFileLock

from orchestration.lib.errors import TidemarkError
from orchestration.lib.whole_file import write_whole

LOCK_NAME = "serve.lock"
HOLDER_NAME = "serve.json"

SERVING = "TIDEMARK_SERVING"
"""Set by the service for its own processes: schedules and their catch-up are on in them."""


class ServedError(TidemarkError):
    """Another process serves the data folder."""


@dataclass(frozen=True)
class Served:
    """Who serves a data folder.

    Attributes:
        pid: Its process.
        port: Port of its UI on loopback.
        started_at: When it took the lock, UTC.
    """

    pid: int
    port: int
    started_at: datetime

    def __str__(self) -> str:
        """For messages."""
        return f"process {self.pid}, with its UI on port {self.port}, since {self.started_at:%Y-%m-%d %H:%M:%S} UTC"


def is_serving() -> bool:
    """Whether this process belongs to a service."""
    return os.environ.get(SERVING) == "1"


@contextmanager
def serving(root: Path, *, port: int) -> Iterator[None]:
    """Hold the lock of a data folder and say so.

    Raises:
        ServedError: Another process holds it.
    """
    lock = UnixFileLock(root / LOCK_NAME, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise _refusal(root) from None
    try:
        content = {"pid": os.getpid(), "port": port, "started_at": datetime.now(UTC).isoformat()}
        write_whole(root / HOLDER_NAME, json.dumps(content))
        yield
    finally:
        (root / HOLDER_NAME).unlink(missing_ok=True)
        lock.release()


def refuse_served(root: Path) -> None:
    """Refuse to go on where a process serves the data folder.

    Raises:
        ServedError: One does.
    """
    if is_served(root):
        raise _refusal(root)


def is_served(root: Path) -> bool:
    """Whether a process holds the lock."""
    if not (root / LOCK_NAME).exists():
        return False
    lock = UnixFileLock(root / LOCK_NAME, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def served_by(root: Path) -> Served | None:
    """What the holder said of itself last; None where there is nothing to read."""
    try:
        content = json.loads((root / HOLDER_NAME).read_text())
        return Served(int(content["pid"]), int(content["port"]), datetime.fromisoformat(content["started_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refusal(root: Path) -> ServedError:
    holder = served_by(root)
    by = f"by {holder}" if holder else "by a process that has not said its name yet"
    return ServedError(f"{root} is served {by}; stop that, or set TIDEMARK_DATA_DIR to another folder")
