"""Builds, grades and publishes what has landed with a process a step, under the settings of the environment.

    python -m tests.distributed.build

Belongs here: the job `build_week` as the queue of Dagster would launch it, for tests. Does not: servers, comparing.
"""

import sys

import dagster as dg

from orchestration.commands import prepare_environment
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.run_lock import RunLock
from orchestration.lib.run_log import LOGGER_NAME
from orchestration.settings import load_settings


def main() -> int:
    """Execute the job; returns 0 where it succeeded."""
    folder = DataFolder(load_settings().folder)
    folder.dagster.mkdir(parents=True, exist_ok=True)
    prepare_environment(folder)
    from orchestration.distributed.jobs import execute

    config = {"loggers": {LOGGER_NAME: {"config": {"path": str(folder.root / "run.log")}}}}
    with RunLock(folder.root), dg.DagsterInstance.get() as instance:
        result = execute("build_week", instance=instance, tags={}, run_config=config)
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main())
