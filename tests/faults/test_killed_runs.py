"""SIGKILL inside steps that hold the pool: the next run starts at once, completes, and ends where an undisturbed one does."""

import contextlib
import os
import re
import time
from datetime import datetime
from pathlib import Path

import pytest

START_SECONDS = 10
"""A pool slot that a dead run keeps would hold the next one up for minutes."""

CONTENT = ["table_name", "unit", "version", "content_hash", "row_count", "as_of_week"]


def log_of(tidemark):
    path = tidemark.folder / "run.log"
    return path.read_text() if path.exists() else ""


def kill_in(tidemark, step, wait_for, *, delay=0.5, **settings):
    """Start a run and kill it with its children a moment after a step began; returns the id of the run."""
    with tidemark.started("run", **settings) as running:
        (tidemark.folder / "run.log").unlink(missing_ok=True)
        wait_for(lambda: f"{step} - STEP_START" in log_of(tidemark), what=step)
        time.sleep(delay)
        assert running.process.poll() is None, "the run ended before it could be killed"
        running.kill_group()
    return run_in_log(tidemark)


def kill_without_dbt(tidemark, wait_for, **settings):
    """Start a run and, while dbt writes, kill it alone as `kill -9` does; returns the id of the run and dbt's processes."""
    with tidemark.started("run", **settings) as running:
        (tidemark.folder / "run.log").unlink(missing_ok=True)
        wait_for(lambda: dbt_children(running.process.pid), what="dbt")
        time.sleep(2.5)
        writers = dbt_children(running.process.pid)
        running.kill()
    return run_in_log(tidemark), writers


def run_in_log(tidemark):
    """Id of the run that wrote the log."""
    found = re.search(r"- ([0-9a-f-]{36}) -", log_of(tidemark))
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


def is_alive(pid):
    return Path(f"/proc/{pid}/exe").exists()


def first_event_at(tidemark, event):
    """When the log of the newest run first has an event, seconds since the epoch."""
    line = next(line for line in log_of(tidemark).splitlines() if event in line)
    return datetime.fromisoformat(line[:23].replace(",", ".")).astimezone().timestamp()


def pool_wait_seconds(tidemark):
    """Between the end of the last ingestion step and the start of the first step that needs the pool."""
    lines = log_of(tidemark).splitlines()
    began = next(number for number, line in enumerate(lines) if "dbt_marts - STEP_START" in line)
    ended = max(number for number, line in enumerate(lines[:began]) if "STEP_SUCCESS" in line)
    at = [datetime.fromisoformat(lines[number][:23].replace(",", ".")) for number in (ended, began)]
    return (at[1] - at[0]).total_seconds()


def go_on(tidemark, run_id, runs_of, **settings):
    """Run again after a kill and hold that it starts its work at once and completes."""
    # What the code needs on this machine now; planning the run and simulating its market need about as much again.
    loading = tidemark.call("check-definitions").seconds
    began = time.time()
    finished = tidemark.run(**settings)
    statuses = dict(runs_of(tidemark.folder))

    assert first_event_at(tidemark, "STEP_START") - began < START_SECONDS + 2 * loading, finished.said
    assert pool_wait_seconds(tidemark) < START_SECONDS, finished.said
    assert statuses.pop(run_id) == "FAILURE"
    assert "STARTED" not in statuses.values()
    return finished


def test_a_run_killed_inside_dbt_takes_dbt_along_and_is_taken_up_by_the_next(own, next_week, wait_for, runs_of):
    week = {"TIDEMARK_AS_OF": "2025-01-13"}

    run_id, writers = kill_without_dbt(own, wait_for, **week)

    assert writers
    wait_for(lambda: not any(map(is_alive, writers)), seconds=5, what="dbt to end with its run")

    go_on(own, run_id, runs_of, **week)

    assert own.ledger().select(CONTENT).equals(next_week.tidemark.ledger().select(CONTENT))
    assert own.call("verify").code == 0


@pytest.mark.slow
@pytest.mark.parametrize("step", ["dbt_marts", "learning__models", "calls", "index_weeks"])
def test_a_first_run_killed_in_a_step_that_holds_the_pool_ends_like_an_undisturbed_one(
    fresh, first, wait_for, runs_of, step
):
    """A drill: two first runs for each step. The tests kill the next week's run inside dbt, in the same pool."""
    run_id = kill_in(fresh, step, wait_for, delay=1.0)

    go_on(fresh, run_id, runs_of)

    assert fresh.ledger().select(CONTENT).equals(first.ledger().select(CONTENT))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["landing__history", "coingecko_market_daily", "published__warehouse"])
def test_a_first_run_killed_while_it_lands_or_publishes_ends_like_an_undisturbed_one(
    fresh, first, wait_for, runs_of, step
):
    """A drill: two first runs for each step. The tests kill a backfill and every step of publishing by themselves."""
    run_id = kill_in(fresh, step, wait_for, delay=0.3)

    go_on(fresh, run_id, runs_of)

    assert fresh.ledger().select(CONTENT).equals(first.ledger().select(CONTENT))
    assert fresh.call("verify").code == 0


@pytest.mark.slow
def test_what_was_published_survives_a_kill_of_the_next_week(own, first, wait_for, tree):
    """A drill: most of a run. That nothing is published before its step is held by the run that fails without prices."""
    published = tree(own.folder / "published")

    kill_in(own, "index_weeks", wait_for, TIDEMARK_AS_OF="2025-01-13")

    assert tree(own.folder / "published") == published
    assert own.ledger().equals(first.ledger())
    assert own.call("verify").code == 0


@pytest.mark.slow
def test_no_process_outlives_a_run_that_ended(own):
    """A drill: a whole run. The tests hold it of a run that is killed and of the UI, which leave more behind."""
    with own.started("run") as running:
        finished = running.wait()
        group = running.process.pid

    assert finished.code == 0, finished.said
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
