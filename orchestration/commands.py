"""What each command of the command line does: check, run, say.

Belongs here: one function a command, in the order of its steps.
Does not: parsing arguments (`cli.py`), the summary's tables (`lib/summary.py`), the work itself (`lib`, `defs`).
"""

# ruff: noqa: T201 - the command line speaks here

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.lib.data_folder import DataFolder
from orchestration.lib.errors import TidemarkError
from orchestration.lib.run_lock import RunLock
from orchestration.lib.serve_lock import refuse_served
from orchestration.lib.week_choice import WeekChoice, choose_week
from orchestration.lib.weeks import monday_of
from orchestration.settings import REPOSITORY_ROOT, Settings, is_set, load_settings

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult, JobExecutionResult

UI_HOST = "127.0.0.1"
UI_PORT = "3000"
SHOWN_UNDER = {".dagster/repository": "__repository__@tidemark"}
"""Tag by which the UI's job pages and timeline find a run; Dagster sets it on runs it launches, not on those executed here."""


def run(*, is_quiet: bool = False) -> int:
    """Run the weekly job up to AS_OF and say what was made."""
    settings, folder, choice = checked()
    return _run_weekly(settings, folder, choice, rebuild=None, reason="", is_quiet=is_quiet)


def rebuild(first: date, last: date, *, reason: str, is_quiet: bool = False) -> int:
    """Score past weeks again with the recorded models and today's code and data, as new versions with a reason."""
    settings, folder, choice = checked()
    span = (monday_of(first), monday_of(last))
    if span[0] > span[1]:
        raise TidemarkError(f"FROM={first} lies after TO={last}; give the earlier week first")
    if not folder.warehouse.exists():
        raise TidemarkError(f"{folder.root} has no warehouse; run make run first")
    with RunLock(folder.root):
        oldest, newest = _recorded_weeks(folder)
        if span[0] < oldest:
            raise TidemarkError(f"FROM={first} lies before the first recorded week {oldest}; rebuild from that")
        if span[1] > newest:
            raise TidemarkError(f"TO={last} lies after the newest recorded week {newest}; rebuild up to that")
        # A rebuild lands nothing, so it ends with the newest recorded week: a later one would rest on days nobody asked for.
        week = WeekChoice(newest, choice.first_day)
        return _run_weekly(settings, folder, week, rebuild=span, reason=reason, is_quiet=is_quiet)


def rebuild_warehouse(*, is_quiet: bool = False) -> int:
    """Make a lost or damaged warehouse again: recorded versions from the published copy, all else from landing."""
    from orchestration.lib.warehouse_restore import restore_warehouse

    settings, folder, choice = checked()
    with RunLock(folder.root):
        restored = restore_warehouse(folder, now=datetime.now(UTC))
        print(f"tidemark: {restored}", flush=True)
        if restored.set_aside is not None:
            print(f"tidemark: the warehouse that was there lies in {restored.set_aside}; remove it when all is well")
        week = WeekChoice(restored.manifest.as_of_week, choice.first_day)
        return _run_weekly(settings, folder, week, rebuild=None, reason="", is_quiet=is_quiet, job="build_week")


def reproduce(week: date, table: str, *, version: int | None) -> int:
    """Rebuild a unit from landed inputs and compare hashes."""
    from orchestration.lib.reproduce import reproduce_units

    folder = DataFolder(load_settings().folder)
    prepare_environment(folder)
    results = reproduce_units(folder, week=monday_of(week), table_name=table, version=version, report=print)
    for result in results:
        print(result.line(), file=sys.stdout if result.is_equal else sys.stderr)
    is_equal = all(result.is_equal for result in results)
    print(f"{sum(result.is_equal for result in results)} of {len(results)} reproduced bit for bit")
    return 0 if is_equal else 1


def verify() -> int:
    """Walk the manifest chain of the published copy."""
    from orchestration.lib.verification import VerificationError, verify_chain

    published = DataFolder(load_settings().folder).published
    if not (published / "manifest.json").exists():
        raise TidemarkError(
            f"{published} has no manifest.json; nothing has been published there yet, run make run first"
        )
    try:
        report = verify_chain(published)
    except VerificationError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{published}: {report}")
    return 0


def dev() -> int:
    """Start the Dagster UI; the port is refused where it is in use, the folder where it holds the other kind of data."""
    settings, folder, choice = checked()
    refuse_served(folder.root)
    port = free_port(UI_HOST, command="dev")
    live_in(folder, settings, choice)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")
    print(
        f"Dagster UI on http://{UI_HOST}:{port} ({settings.source} data, {folder.root}); stop it with Ctrl-C",
        flush=True,
    )
    dagster = Path(sys.executable).parent / "dagster"
    arguments = ["dev", "-w", str(REPOSITORY_ROOT / "workspace.yaml"), "-h", UI_HOST, "-p", str(port)]
    os.execv(dagster, [str(dagster), *arguments])  # noqa: S606 - our own program, no shell


def free_port(host: str, *, command: str) -> int:
    """The port that TIDEMARK_UI_PORT names.

    Raises:
        TidemarkError: It is no port, or in use.
    """
    port = _ui_port(os.environ.get("TIDEMARK_UI_PORT", UI_PORT))
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise TidemarkError(
                f"port {port} of {host} is in use; stop the program that has it, or run make {command} PORT={port + 1}"
            ) from None
    return port


def live_in(folder: DataFolder, settings: Settings, choice: WeekChoice) -> None:
    """Make the data folder the home of the UI and the daemon.

    They make folders for telemetry there, switched off or not, which do not belong into the project; and they warn of a
    dagster.yaml beside them that is not the one of their home. Paths given relative to the project are made absolute before.
    """
    if not folder.marker.exists():
        folder.claim(settings.kind, start_date=choice.week - timedelta(days=1))
    folder.dagster.mkdir(parents=True, exist_ok=True)
    prepare_environment(folder)
    shutil.copyfile(_instance_folder() / "dagster.yaml", folder.dagster / "dagster.yaml")
    paths = {
        "TIDEMARK_DATA_DIR": folder.root,
        "TIDEMARK_ARCHIVE": settings.archive,
        "TIDEMARK_MAPPING": settings.mapping,
        "TIDEMARK_INDICES_DIR": settings.indices_dir,
        "TIDEMARK_ALERTS_DIR": settings.alerts_dir,
    }
    os.environ |= {name: str(path.resolve()) for name, path in paths.items() if path is not None}
    os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    os.environ["DAGSTER_HOME"] = str(folder.dagster)
    os.chdir(folder.dagster)


def _ui_port(text: str) -> int:
    """A port as a user gave it."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise TidemarkError(f"PORT={text} is no port; give a number from 1 to 65535, e.g. make dev PORT=3001")
    return int(text)


def check_definitions() -> int:
    """Load all definitions and say what there is and how long it took."""
    started = time.monotonic()
    from orchestration.definitions import defs

    repository = defs().get_repository_def()
    keys = repository.asset_graph.materializable_asset_keys
    checks = repository.asset_graph.asset_check_keys
    jobs = [job.name for job in repository.get_all_jobs() if not job.name.startswith("__")]
    print(
        f"definitions: {len(keys)} assets, {len(checks)} checks, jobs {', '.join(sorted(jobs))}, "
        f"{len(repository.schedule_defs)} schedules; loaded in {time.monotonic() - started:.1f} s"
    )
    return 0


def checked() -> tuple[Settings, DataFolder, WeekChoice]:
    """Settings, folder and week, with everything refused that cannot work; nothing is written."""
    from models_ml.indices.definition import load_definitions
    from models_ml.indices.errors import IndicesError
    from orchestration.lib.bulk_import import load_mapping, validate_archive

    settings = load_settings()
    folder = DataFolder(settings.folder)
    folder.check(settings.kind)
    if settings.simulation.faults:
        _check_faults(settings.simulation.faults)
    choice = choose_week(settings)
    try:
        load_definitions(*settings.indices_folders)
    except IndicesError as error:
        raise TidemarkError(str(error)) from error
    if settings.has_alerts:
        from orchestration.commands_alerts import check_setup

        check_setup(settings)
    if settings.source == "archive" and settings.archive is not None:
        validate_archive(load_mapping(settings.mapping), settings.archive)
    return settings, folder, choice


def _check_faults(text: str) -> None:
    """Refuse a setting of faults that the sandbox cannot read, before anything is written."""
    from orchestration.sandbox.faults import FaultPlan, FaultSettingError

    try:
        FaultPlan.from_text(text)
    except FaultSettingError as error:
        raise TidemarkError(f"TIDEMARK_SIMULATION__FAULTS: {error}") from None


def _newest_build(folder: DataFolder) -> date | None:
    """Week of the newest completed build, None before the first; a warehouse of a later release is refused."""
    from orchestration.lib.migrations import MIGRATIONS, check_known
    from orchestration.lib.warehouse import connect, table_exists

    if not folder.warehouse.exists():
        return None
    with connect(folder.warehouse, read_only=True) as connection:
        check_known(connection, known=len(MIGRATIONS))
        if not table_exists(connection, "quality", "builds"):
            return None
        row = connection.execute("select max(as_of_week) from quality.builds where completed_at is not null").fetchone()
    return row[0] if row else None


def _recorded_weeks(folder: DataFolder) -> tuple[date, date]:
    """First and newest recorded week of the warehouse."""
    from orchestration.lib.warehouse import connect, table_exists

    with connect(folder.warehouse, read_only=True) as connection:
        if table_exists(connection, "quality", "unit_versions"):
            weeks = connection.execute("select min(as_of_week), max(as_of_week) from quality.unit_versions").fetchone()
            if weeks is not None and weeks[0] is not None:
                return weeks[0], weeks[1]
    raise TidemarkError(f"{folder.warehouse} has no recorded week yet; run make run first")


def _instance_folder() -> Path:
    """Folder of the dagster.yaml that fits the settings."""
    return REPOSITORY_ROOT / "orchestration" / "distributed" if is_set("DAGSTER_POSTGRES_URL") else REPOSITORY_ROOT


def prepare_environment(folder: DataFolder) -> None:
    """Where Dagster keeps its records: below the data folder, with the project's dagster.yaml."""
    os.environ["DAGSTER_HOME"] = str(_instance_folder())
    os.environ["TIDEMARK_DAGSTER_DIR"] = str(folder.dagster)
    os.environ["DBT_PROFILES_DIR"] = str(REPOSITORY_ROOT / "dbt_project")
    # Threads that spin while they wait make training fifteen times slower as soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _run_weekly(
    settings: Settings,
    folder: DataFolder,
    choice: WeekChoice,
    *,
    rebuild: tuple[date, date] | None,
    reason: str,
    is_quiet: bool,
    job: str = "weekly",
) -> int:
    """Take the lock, run the job (`build_week` for a rebuild), print the summary."""
    from orchestration.lib.clock_check import check_clock
    from orchestration.lib.failures import help_for_failures
    from orchestration.lib.summary import print_steps, print_summary

    started = time.monotonic()
    is_claimed = folder.marker.exists()
    with RunLock(folder.root):
        check_clock(folder, now=datetime.now(UTC))
        folder.dagster.mkdir(parents=True, exist_ok=True)
        if not is_claimed:
            folder.claim(settings.kind, start_date=choice.week - timedelta(days=1))
        prepare_environment(folder)
        newest = _newest_build(folder)
        if rebuild is None and newest is not None and choice.week < newest:
            # Marts hold one state, that of the newest week; going back would take the later weeks out of them.
            print(
                f"tidemark: {folder.root} is built up to {newest}, so week {choice.week} changes nothing; what is published:"
            )
            print_summary(folder, choice.week, seconds=time.monotonic() - started)
            return 0
        print(f"tidemark: {settings.source} data, week {choice.week}, folder {folder.root}", flush=True)
        chosen = "build_week" if rebuild else job
        result = _execute_job(folder, choice, job_name=chosen, rebuild=rebuild, reason=reason, is_quiet=is_quiet)
    if not result.success:
        print(
            f"tidemark: the run failed; what was published before stays. Log: {_log_of(folder)}; the steps, checks and rows that "
            f"broke it: make dev, run {result.run_id[:8]}; more: {help_for_failures(result.all_events)}",
            file=sys.stderr,
        )
        if settings.has_alerts:
            from orchestration.commands_alerts import tell_of_failure

            tell_of_failure(settings, folder)
        return 1
    print_steps(result.all_events)
    print_summary(folder, choice.week, seconds=time.monotonic() - started)
    return 0


def _execute_job(
    folder: DataFolder,
    choice: WeekChoice,
    *,
    job_name: str,
    rebuild: tuple[date, date] | None,
    reason: str,
    is_quiet: bool,
) -> ExecuteInProcessResult | JobExecutionResult:
    """Execute the job `weekly` or `build_week`, in this process unless the settings name several."""
    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.lib.dead_runs import LOCKED, fail_dead_runs, refuse_second_run
    from orchestration.lib.landing_checks import key_of
    from orchestration.lib.partitions import days_to_cover, range_tags
    from orchestration.lib.run_log import LOGGER_NAME
    from orchestration.sources.datasets import DATASETS

    assembled = defs()
    job = assembled.resolve_job_def(job_name)
    has_processes = load_settings().processes > 1
    sunday = choice.week - timedelta(days=1)
    week = {"as_of": choice.week.isoformat(), "reason": reason}
    if rebuild:
        week |= {"rebuild_from": rebuild[0].isoformat(), "rebuild_to": rebuild[1].isoformat()}
    config = {
        "resources": {"week": {"config": week}},
        "loggers": {
            LOGGER_NAME: {
                # Each of several processes has a logger, and none of them counts the steps of the others.
                "config": {
                    "path": str(_log_of(folder)),
                    "steps": 0 if has_processes else len(job.nodes),
                    "is_quiet": is_quiet,
                }
            }
        },
    }
    with dg.DagsterInstance.get() as instance:
        fail_dead_runs(instance, current_run_id=None, tags=LOCKED if has_processes else None)
        tags = SHOWN_UNDER | LOCKED
        if job.partitions_def:
            landed = [key_of(dataset) for dataset in DATASETS.values()]
            start = folder.start_date() or sunday
            tags |= range_tags(*days_to_cover(instance, landed, start=start, last=sunday))
        _log_of(folder).write_text("")
        if has_processes:
            from orchestration.distributed.jobs import execute

            refuse_second_run(instance, None)
            return execute(job_name, instance=instance, tags=tags, run_config=config)
        return job.execute_in_process(instance=instance, tags=tags, run_config=config, raise_on_error=False)


def _log_of(folder: DataFolder) -> Path:
    """The log of the newest run."""
    return folder.root / "run.log"
