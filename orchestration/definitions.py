"""The code location: every folder of `defs/`, with the resources and policies that hold for all of it. Assembly only.

Settings are read when the function is called, not at import.
"""

from pathlib import Path

import dagster as dg
from dagster_dbt.dbt_manifest import validate_manifest

from orchestration.lib.asset_pages import completed
from orchestration.lib.dbt_resource import PreparedDbt
from orchestration.lib.dbt_translator import DBT_PROJECT, MANIFEST
from orchestration.lib.resources import RunLease, Warehouse, Week, providers_resource
from orchestration.lib.run_log import LOGGER_NAME, terminal_logger
from orchestration.settings import load_settings


def executor_for(processes: int) -> dg.ExecutorDefinition:
    """One process for all steps; with a warehouse that several can write, a process a step and so many at once."""
    if processes == 1:
        return dg.in_process_executor
    # Forked from a process that has the definitions, since to load them takes each step three seconds.
    method = {"forkserver": {"preload_modules": ["orchestration.distributed.jobs"]}}
    return dg.multiprocess_executor.configured({"max_concurrent": processes, "start_method": method})


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and resources."""
    loaded = dg.load_from_defs_folder(project_root=Path(__file__).resolve().parent.parent)
    complete = completed(validate_manifest(MANIFEST), is_live=load_settings().source == "live")
    return dg.Definitions(
        assets=dg.map_asset_specs(complete, loaded.assets or []),  # type: ignore[arg-type]  # there are no assets of older kinds
        asset_checks=loaded.asset_checks,
        jobs=loaded.jobs,
        schedules=loaded.schedules,
        sensors=loaded.sensors,
        executor=executor_for(load_settings().processes),
        loggers={"console": dg.colored_console_logger, LOGGER_NAME: terminal_logger},
        resources={
            "lease": RunLease(),
            "warehouse": Warehouse(),
            "week": Week(),
            "providers": providers_resource,
            # As a finished value, since the launchpad would offer these paths as configuration of every run.
            "dbt": dg.ResourceDefinition.hardcoded_resource(
                PreparedDbt(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT)),
                description="Runs dbt as a subprocess on the project in dbt_project/.",
            ),
        },
    )
