"""Cleaning up after a run that was killed: Dagster still believes it is running and keeps its pool slots.

Belongs here: failing dead runs and freeing their slots. Does not: deciding who may run (`run_lock.py`): whoever calls this
holds the run lock, so every other run of the folder that claims to be running is dead.
"""

from collections.abc import Mapping

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from orchestration.lib.errors import TidemarkError

LOCKED = {"tidemark/holds": "run.lock"}
"""Tag of runs whose command holds the run lock as long as they run; others, with a process a step, are the queue's."""

RUNNING = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]


class SecondRunError(TidemarkError):
    """Another run is under way."""


def fail_dead_runs(
    instance: dg.DagsterInstance, *, current_run_id: str | None, tags: Mapping[str, str] | None = None
) -> list[str]:
    """Mark dead runs as failed and free the pool slots they held.

    Args:
        instance: Dagster's instance of the data folder.
        current_run_id: The run that holds the lock, which is alive; None before it has an id.
        tags: Only runs with these.

    Returns:
        Ids of the runs that were dead.
    """
    dead = []
    for run in instance.get_runs(filters=RunsFilter(statuses=RUNNING, tags=tags)):
        if run.run_id == current_run_id:
            continue
        instance.report_run_failed(
            run, "The process of this run ended without finishing it (killed, or the machine stopped)."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        dead.append(run.run_id)
    return dead


def refuse_second_run(instance: dg.DagsterInstance, run_id: str | None) -> None:
    """Go on only as the oldest run under way: for runs with a process a step, of which none holds the run lock.

    Raises:
        SecondRunError: An older run is under way.
    """
    under_way = instance.get_run_records(filters=RunsFilter(statuses=RUNNING), ascending=True)
    oldest = under_way[0].dagster_run.run_id if under_way else run_id
    if oldest != run_id:
        raise SecondRunError(
            f"run {oldest[:8] if oldest else ''} is under way; one run at a time: wait for it to end, or terminate it in the UI"
        )
