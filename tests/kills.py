"""SIGKILL for runs under way, in a step or alone while dbt works for them, and the run after it."""

import contextlib
import re
import time
from datetime import datetime
from pathlib import Path

from tests.watching import dagster_runs, log_of, wait_until

START_SECONDS = 10
"""A pool slot that a dead run keeps would hold the next one up for minutes."""


def kill_in(tidemark, step, *, delay=0.5, **settings):
    """Start a run and kill it with its children a moment after a step began; returns the id of the run."""
    with tidemark.started("run", **settings) as running:
        (tidemark.folder / "run.log").unlink(missing_ok=True)
        wait_until(lambda: f"{step} - STEP_START" in log_of(tidemark.folder), what=step)
        time.sleep(delay)
        assert running.process.poll() is None, "the run ended before it could be killed"
        running.kill_group()
    return run_in_log(tidemark)


def kill_without_dbt(tidemark, **settings):
    """Start a run and, while dbt writes, kill it alone as `kill -9` does; returns the id of the run and dbt's processes."""
    with tidemark.started("run", **settings) as running:
        (tidemark.folder / "run.log").unlink(missing_ok=True)
        wait_until(lambda: dbt_children(running.process.pid), what="dbt")
        wait_until(lambda: has_written(tidemark), what="dbt to write")
        time.sleep(1.0)
        writers = dbt_children(running.process.pid)
        running.kill()
    return run_in_log(tidemark), writers


def run_in_log(tidemark):
    """Id of the run that wrote the log."""
    found = re.search(r"- ([0-9a-f-]{36}) -", log_of(tidemark.folder))
    assert found is not None
    return found[1]


def dbt_children(pid):
    """Processes of dbt that a run started."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            found += (
                [child]
                if b"\0orchestration.lib.dbt_prepared\0build\0" in Path(f"/proc/{child}/cmdline").read_bytes()
                else []
            )
    return found


def has_written(tidemark):
    """Whether the warehouse has something that is not yet in its file: who opens it last puts it there."""
    with contextlib.suppress(FileNotFoundError):
        return (tidemark.folder / "warehouse.duckdb.wal").stat().st_size > 0
    return False


def is_alive(pid):
    return Path(f"/proc/{pid}/exe").exists()


def go_on(tidemark, run_id, **settings):
    """Run again after a kill and hold that it starts its work at once and completes."""
    # What the code needs on this machine now; planning the run and simulating its market need about as much again.
    loading = tidemark.call("check-definitions").seconds
    began = time.time()
    finished = tidemark.run(**settings)
    statuses = dict(dagster_runs(tidemark.folder))

    assert first_event_at(tidemark, "STEP_START") - began < START_SECONDS + 2 * loading, finished.said
    assert pool_wait_seconds(tidemark) < START_SECONDS, finished.said
    assert statuses.pop(run_id) == "FAILURE"
    assert "STARTED" not in statuses.values()


def first_event_at(tidemark, event):
    """When the log of the newest run first has an event, seconds since the epoch."""
    line = next(line for line in log_of(tidemark.folder).splitlines() if event in line)
    return datetime.fromisoformat(line[:23].replace(",", ".")).astimezone().timestamp()


def pool_wait_seconds(tidemark):
    """Between the end of the last ingestion step and the start of the first step that needs the pool."""
    lines = log_of(tidemark.folder).splitlines()
    began = next(number for number, line in enumerate(lines) if "dbt_marts - STEP_START" in line)
    ended = max(number for number, line in enumerate(lines[:began]) if "STEP_SUCCESS" in line)
    at = [datetime.fromisoformat(lines[number][:23].replace(",", ".")) for number in (ended, began)]
    return (at[1] - at[0]).total_seconds()
