"""One run at a time: an OS file lock in the data folder, taken by whoever executes (make, UI, schedule).

The lock is `flock` on `<data_dir>/run.lock`, so the operating system gives it back however the holder ends, `kill -9`
included. Who holds it stands in `run.holder.json` beside it, for messages only: the lock decides, the file informs.

    RunLockError (RuntimeError)
    |-- RunLockedError        somebody else holds it
    `-- NoFileLocksError      the file system has no such locks

Belongs here: taking, naming and giving back the lock. Does not: marking dead runs as failed (passed in as
`on_acquired`).
"""

import json
import os
import shlex
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import Timeout, UnixFileLock

from orchestration.lib.whole_file import write_whole

LOCK_NAME = "run.lock"
HOLDER_NAME = "run.holder.json"
LONGEST_COMMAND = 200


class RunLockError(RuntimeError):
    """Base of what taking the run lock can raise."""


class RunLockedError(RunLockError):
    """Another process holds the lock.

    Attributes:
        holder: Who it is, None where that is not known yet.
    """

    def __init__(self, path: Path, holder: "RunHolder | None") -> None:
        """One line that names the holder and the way out."""
        by = f"by {holder}" if holder else "by another process that has not said its name yet"
        super().__init__(f"{path} is held {by}; one run at a time: wait for it to end, or stop it")
        self.holder = holder


class NoFileLocksError(RunLockError):
    """The data folder lies on a file system without `flock`."""


@dataclass(frozen=True)
class RunHolder:
    """Who holds, or held, the lock.

    Attributes:
        pid: Its process.
        command: Its command, one line.
        started_at: When it took the lock, UTC.
    """

    pid: int
    command: str
    started_at: datetime

    def __str__(self) -> str:
        """For messages."""
        return f"process {self.pid} ({self.command}) since {self.started_at:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def is_running(self) -> bool:
        """Whether a process with this number exists; a number may have been given out again since."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@dataclass
class _Held:
    """A lock this process holds, however many `RunLock` objects share it."""

    lock: UnixFileLock
    pid: int
    count: int


_held: dict[Path, _Held] = {}
_held_guard = threading.RLock()


def _now() -> datetime:
    return datetime.now(UTC)


class RunLock:
    """The run lock of a data folder; reentrant within a process, whatever object or thread asks.

    Example:
        with RunLock(data_dir, command="make run", on_acquired=fail_dead_runs):
            execute()
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        command: str | None = None,
        on_acquired: Callable[[RunHolder | None], None] | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Describe the lock; nothing is touched before `acquire`.

        Args:
            data_dir: Folder the lock protects; created when the lock is taken.
            command: What others are told is running; by default the command line.
            on_acquired: Called once this process has the lock and before `acquire` returns, not on reentry. Its
                argument is the holder that ended without giving the lock back, or None. If it raises, the lock is
                given back.
            clock: Tells the instant of taking the lock, UTC.
        """
        self.path = data_dir / LOCK_NAME
        self.holder_path = data_dir / HOLDER_NAME
        self._command = " ".join((command or shlex.join(sys.argv)).split())[:LONGEST_COMMAND]
        self._on_acquired = on_acquired
        self._clock = clock
        self._taken = 0

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._taken > 0

    def acquire(self) -> None:
        """Take the lock or fail at once.

        Raises:
            RunLockedError: Another process holds it.
            NoFileLocksError: The file system has no `flock`.
        """
        with _held_guard:
            key = self._key()
            held = _held.get(key)
            if held and held.pid == os.getpid():
                held.count += 1
            else:
                _held[key] = _Held(lock=self._take(), pid=os.getpid(), count=1)
                try:
                    self._announce()
                except BaseException:
                    self._give_back(key)
                    raise
            self._taken += 1

    def release(self) -> None:
        """Give the lock back; the last release of this process frees it."""
        with _held_guard:
            key = self._key()
            held = _held.get(key)
            if not self.is_held or held is None or held.pid != os.getpid():
                raise RunLockError(
                    f"{self.path}: released, but this process does not hold it; pair every release with an acquire"
                )
            self._taken -= 1
            held.count -= 1
            if held.count == 0:
                self._give_back(key)

    def holder(self) -> RunHolder | None:
        """Who wrote the holder file last, None where there is none or it cannot be read."""
        try:
            content = json.loads(self.holder_path.read_text(encoding="utf-8"))
            return RunHolder(content["pid"], content["command"], datetime.fromisoformat(content["started_at"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def __enter__(self) -> Self:
        """Take the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back."""
        self.release()

    def _key(self) -> Path:
        return self.path.resolve()

    def _take(self) -> UnixFileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Not bound to a thread: the thread that ends a run need not be the one that began it.
        lock = UnixFileLock(self.path, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            holder = self.holder()
            # A dead one is left from a run that was killed; the process that has the lock now has yet to write its own.
            raise RunLockedError(self.path, holder if holder and holder.is_running else None) from None
        if not isinstance(lock, UnixFileLock):
            lock.release()
            raise NoFileLocksError(
                f"{self.path}: this file system has no file locks; put the data folder on a local disk"
            )
        return lock

    def _announce(self) -> None:
        """Say who holds the lock, then let the caller clean up after a holder that died."""
        died = self.holder()
        content = {
            "pid": os.getpid(),
            "command": self._command,
            "started_at": self._clock().astimezone(UTC).isoformat(),
        }
        write_whole(self.holder_path, json.dumps(content))
        if self._on_acquired:
            self._on_acquired(died)

    def _give_back(self, key: Path) -> None:
        held = _held.pop(key)
        self.holder_path.unlink(missing_ok=True)
        held.lock.release()
