"""Dagster's records of runs long ended: 23 MB a weekly run, in a file of the run and once more in the index of all.

What they said stays in `quality.run_steps`, `quality.run_rows` and `quality.check_results`.

Belongs here: which records go. Does not: how they are kept (`dagster_storage.py`), structured logs (`structured_log.py`), runs that died
(`dead_runs.py`).
"""

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def forget_old_runs(instance: dg.DagsterInstance, *, keep: int) -> int:
    """Delete the oldest ended runs from Dagster's records, with their events and output.

    Args:
        instance: Dagster's instance of the data folder.
        keep: How many stay, the newest.

    Returns:
        Runs deleted.
    """
    old = instance.get_run_ids(filters=RunsFilter(statuses=ENDED))[keep:]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    return len(old)
