"""The jobs of the command line as functions, by whose names each process of a run finds its job again.

Belongs here: that, and executing one of them with a process a step. Does not: the jobs (`orchestration/defs/automation`).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.definitions import defs
from orchestration.lib.failures import why_failed
from orchestration.lib.resources import Warehouse, forget_old, write_down


def weekly() -> dg.JobDefinition:
    """Land, build, grade and publish."""
    return defs().resolve_job_def("weekly")


def build_week() -> dg.JobDefinition:
    """Build, grade and publish from what has landed."""
    return defs().resolve_job_def("build_week")


def execute(
    name: str, *, instance: dg.DagsterInstance, tags: Mapping[str, str], run_config: Mapping[str, Any]
) -> dg.JobExecutionResult:
    """Execute a job with a process a step, and write down its checks; the caller holds the run lock.

    Args:
        name: `weekly` or `build_week`.
        instance: Dagster's instance, whose storage other processes can open.
        tags: Tags of the run.
        run_config: Configuration of the run.
    """
    forget_old(Warehouse().folder, instance)
    job = dg.reconstructable({"weekly": weekly, "build_week": build_week}[name])
    result = dg.execute_job(job, instance=instance, tags=tags, run_config=run_config, raise_on_error=False)
    write_down(Warehouse().folder, instance, result.run_id, log=None)
    if why := why_failed(instance, result.run_id):
        print(why)  # noqa: T201 - the command line's
    return result
