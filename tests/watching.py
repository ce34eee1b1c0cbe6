"""What tests look at while commands run and after: files, the log, Dagster's runs, and waiting for something to hold."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

LONGEST_RUN_SECONDS = 900


def tree_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file in a folder, folders with sizes of their own left out."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder] if folder.exists() else []:
        state = path.lstat()
        found[str(path)] = (-1, 0) if path.is_dir() else (state.st_size, state.st_mtime_ns)
    return found


def log_of(folder: Path) -> str:
    """What the newest run of a data folder has logged so far, nothing before its first line."""
    path = folder / "run.log"
    return path.read_text() if path.exists() else ""


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = LONGEST_RUN_SECONDS) -> None:
    """Poll until something holds.

    Raises:
        TimeoutError: It did not in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def dagster_runs(folder: Path) -> list[tuple[str, str]]:
    """Id and status of every run in Dagster's storage of a data folder, oldest first."""
    storage = folder / "dagster" / "history" / "runs.db"
    with closing(sqlite3.connect(f"file:{storage}?mode=ro", uri=True)) as connection:
        return connection.execute("select run_id, status from runs order by id").fetchall()
