"""Cleaning up after a run that was killed: Dagster still believes it is running and keeps its pool slots.

Belongs here: failing dead runs and freeing their slots. Does not: deciding who may run (`run_lock.py`): whoever calls this
holds the run lock, so every other run of the folder that claims to be running is dead.
"""

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

RUNNING = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]


def fail_dead_runs(instance: dg.DagsterInstance, *, current_run_id: str | None) -> list[str]:
    """Mark dead runs as failed and free the pool slots they held.

    Args:
        instance: Dagster's instance of the data folder.
        current_run_id: The run that holds the lock, which is alive; None before it has an id.

    Returns:
        Ids of the runs that were dead.
    """
    dead = []
    for run in instance.get_runs(filters=RunsFilter(statuses=RUNNING)):
        if run.run_id == current_run_id:
            continue
        instance.report_run_failed(
            run, "The process of this run ended without finishing it (killed, or the machine stopped)."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        dead.append(run.run_id)
    return dead
