"""All checks of `make doctor`, in the order in which they are told.

Belongs here: which there are. Does not: what they look at (the modules they come from).
"""

from orchestration.doctor import contents, folder, machine, service
from orchestration.doctor.finding import Check

CHECKS: tuple[Check, ...] = (
    machine.python,
    machine.packages,
    machine.dbt_project,
    machine.duckdb_engine,
    machine.memory,
    machine.clock,
    service.settings,
    service.unknown_settings,
    folder.folder_kind,
    folder.folder_rights,
    folder.file_system,
    folder.disk,
    folder.run_lock,
    contents.warehouse,
    contents.published_copy,
    contents.published_week,
    contents.models,
    contents.landed_files,
    contents.last_run,
    service.sources,
    service.schedules,
    service.alerts,
)
