"""Dagster resources: the warehouse, the week, the providers, and the lock that a run holds from its first step to its last.

Belongs here: what an asset is handed. Does not: what it does with it.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import duckdb
from pydantic import Field, PrivateAttr

from orchestration.lib.check_results import record_checks
from orchestration.lib.clock_check import check_clock
from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.data_docs import write_data_docs
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.dead_runs import fail_dead_runs, refuse_second_run
from orchestration.lib.duckdb_memory import memory_limit
from orchestration.lib.failures import why_failed
from orchestration.lib.lake import dbt_variables
from orchestration.lib.landing import LandingStore
from orchestration.lib.migrations import migrate_file
from orchestration.lib.old_runs import forget_old_runs
from orchestration.lib.partitions import LANDING_JOBS, last_day_of
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext, current_build
from orchestration.lib.run_history import record_history
from orchestration.lib.run_lock import RunLock
from orchestration.lib.structured_log import StructuredLog, path_of, prune
from orchestration.lib.warehouse import WarehouseError, connect, table_exists
from orchestration.lib.week_choice import choose_week
from orchestration.lib.weeks import WeekError
from orchestration.settings import REPOSITORY_ROOT, Settings, load_settings

POOL = "warehouse"
"""The pool of whatever opens the warehouse; it has one slot (dagster.yaml)."""

CLOCK_SKEW = timedelta(minutes=1)
"""How far the clock of one machine of several may be behind that of another."""


class RunLease(dg.ConfigurableResource):
    """The right to write the data folder: an OS lock held for the whole run, whoever executes it.

    Before it is let go, the checks and steps of the run are written down, so that a run which failed leaves them too; and it says why it
    failed.
    """

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RunLease"]:
        """Hold the lock; a new holder first fails the runs that died and frees their pool slots."""
        folder = DataFolder(load_settings().folder)
        run_id = context.run.run_id if context.run is not None else None
        instance = context.instance
        if load_settings().processes > 1:
            # One process of several of the run: whoever launched it holds the lock, or Dagster's queue lets one run start at a time.
            if instance is not None and run_id is not None:
                refuse_second_run(instance, run_id)
            with _logged(folder, instance, run_id):
                _prepare(folder, context.log, now=datetime.now(UTC) + CLOCK_SKEW)
                yield self
            return

        def clean_up(_holder: object) -> None:
            if instance is not None:
                fail_dead_runs(instance, current_run_id=run_id)

        with RunLock(folder.root, command=f"run {run_id}", on_acquired=clean_up):
            if instance is not None:
                forget_old(folder, instance)
            with _logged(folder, instance, run_id):
                _prepare(folder, context.log, now=datetime.now(UTC))
                yield self
                if instance is not None and run_id is not None:
                    write_down(folder, instance, run_id, context.log)
                    if context.log is not None and (why := why_failed(instance, run_id)):
                        context.log.error(why)


def _prepare(folder: DataFolder, log: dg.DagsterLogManager | None, *, now: datetime) -> None:
    """Refuse a clock that went back, and bring the tables of an older release up to this one's."""
    check_clock(folder, now=now)
    for each in migrate_file(folder.warehouse):
        if log is not None:
            log.info("migration %d: %s", each.number, each.name)


@contextmanager
def _logged(folder: DataFolder, instance: dg.DagsterInstance | None, run_id: str | None) -> Iterator[None]:
    """Write the events of the run into its structured log while the block lasts."""
    if instance is None or run_id is None:
        yield
        return
    log = StructuredLog(path_of(folder.root, run_id), secrets=load_settings().secrets())
    instance.add_event_listener(run_id, log.hear)
    try:
        yield
    finally:
        log.close()


def forget_old(folder: DataFolder, instance: dg.DagsterInstance) -> None:
    """Drop what is kept of the oldest runs, so that with the run under way as many are left as the settings say: one process a run."""
    keep = load_settings().retention.log_runs - 1
    prune(folder.root, keep=keep)
    forget_old_runs(instance, keep=keep)


def write_down(folder: DataFolder, instance: dg.DagsterInstance, run_id: str, log: dg.DagsterLogManager | None) -> None:
    """The run's rows of `quality.check_results` and of its history, and Data Docs where it failed: those of a good run were published.

    A warehouse that cannot be opened gets its rows from the next run.
    """
    if folder.warehouse.exists():
        try:
            with connect(folder.warehouse) as connection:
                if table_exists(connection, "quality", "builds"):
                    record_checks(connection, instance, run_id)
                    record_history(connection, folder.root, run_id)
        except WarehouseError as error:
            if log is not None:
                log.warning(
                    "the checks and steps of this run are not written down yet, the next run does it: %s", error
                )
    if instance.get_run_stats(run_id).steps_failed:
        write_data_docs(folder.root, folder.published)


class Warehouse(dg.ConfigurableResource):
    """The data folder of the run: warehouse file, landing store, models. Every asset that connects names the pool `warehouse`."""

    @property
    def folder(self) -> DataFolder:
        """Paths of the data folder."""
        return DataFolder(load_settings().folder)

    @property
    def settings(self) -> Settings:
        """Settings from the environment."""
        return load_settings()

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse; the lock is released even when the step fails."""
        with connect(self.folder.warehouse, read_only=read_only) as connection:
            yield connection

    def store(self) -> LandingStore:
        """The landing store."""
        return LandingStore(self.folder.landing, beside=self.folder.root)

    def registry(self) -> ModelRegistry:
        """The frozen models."""
        return ModelRegistry(self.folder.models)

    def build(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> RunContext:
        """The build a step belongs to."""
        return current_build(connection, run_id, correction_weeks=self.settings.correction_weeks)


class Week(dg.ConfigurableResource):
    """The week of a run: given here in the launchpad, else the one its partitions end with, else AS_OF of the environment."""

    as_of: str | None = Field(
        default="",
        description=(
            "Which week: any day as YYYY-MM-DD, e.g. 2025-01-06; the run is for the Monday on or before it. Empty: the week after the "
            "chosen partition, and without one the week of AS_OF, which is the newest where nothing was set."
        ),
    )
    rebuild_from: str | None = Field(
        default="",
        description=(
            "First past week to score again with the models recorded for it and today's code and data, YYYY-MM-DD. Its rows become "
            "new versions, the old ones stay. Empty: none."
        ),
    )
    rebuild_to: str | None = Field(
        default="", description="Last week to score again, YYYY-MM-DD. Empty: rebuild_from alone."
    )
    reason: str | None = Field(
        default="",
        description="Why, in your words: new versions carry it for good. Empty: scheduled, correction or rebuild.",
    )
    _last_day: date | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Learn the run's partitions.

        Raises:
            WeekError: A job that lands days was launched without any; Dagster would fail later with a stack trace.
        """
        if context.run is None:
            return
        self._last_day = last_day_of(context.run.tags)
        lands_days = context.run.job_name in LANDING_JOBS and load_settings().source != "archive"
        if lands_days and self._last_day is None:
            raise WeekError(
                f"{context.run.job_name} was launched without a partition, so it does not know which days to land; choose one "
                "in the launchpad (for a week the Sunday before it), or use make run"
            )

    def choose(self) -> date:
        """The Monday the run is for."""
        settings = load_settings()
        if self.as_of:
            settings = settings.model_copy(update={"as_of": _day(self.as_of, field="as_of")})
        elif self._last_day:
            settings = settings.model_copy(update={"as_of": self._last_day + timedelta(days=1)})
        return choose_week(settings).week

    def rebuild(self) -> tuple[date, date] | None:
        """First and last week of a rebuild asked for by hand."""
        if not self.rebuild_from:
            return None
        first = _day(self.rebuild_from, field="rebuild_from")
        return first, _day(self.rebuild_to, field="rebuild_to") if self.rebuild_to else first


def _day(text: str, *, field: str) -> date:
    """A day as typed into the launchpad."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WeekError(f"week.{field} {text!r} is no day; write it as YYYY-MM-DD") from None


@dg.resource(
    description="The providers of a simulated or live run; a simulated one has its own sandbox on a free port."
)
def providers_resource(context: dg.InitResourceContext) -> Iterator[Connections]:
    """Open the connections of a run and close them at its end; nothing outlives it, the sandbox included."""
    with open_connections(load_settings(), context.log.info if context.log else _say_nothing) as connections:
        yield connections


def _say_nothing(_text: str) -> None:
    """Report nothing."""


FIRST_DAY = date(1900, 1, 1)


@dataclass(frozen=True)
class RebuiltDays:
    """Which days the incremental models compute (`dbt_project/macros/rebuilt_days.sql`).

    Attributes:
        first: First day of every model.
        touched: Earlier first days of the models that a source's facts reach, by its raw view (`source__dataset`).
    """

    first: date
    touched: Mapping[str, date] = field(default_factory=dict)

    def __str__(self) -> str:
        """Both, for the log."""
        earlier = [f"{view} from {day}" for view, day in sorted(self.touched.items()) if day < self.first]
        return f"from {self.first}" + (f"; what rests on {', '.join(earlier)}" if earlier else "")


EVERY_DAY = RebuiltDays(FIRST_DAY)


@contextmanager
def dbt_environment(folder: DataFolder, *, as_of: datetime, rebuilt: RebuiltDays) -> Iterator[None]:
    """Environment that a dbt subprocess inherits: the warehouse, the instant, the days to compute, and our packages."""
    values = {
        "TIDEMARK_WAREHOUSE": str(folder.warehouse),
        **dbt_variables(folder.warehouse),
        "TIDEMARK_AS_OF_INSTANT": as_of.isoformat(),
        "TIDEMARK_DUCKDB_MEMORY": memory_limit(),
        "TIDEMARK_REBUILT_FROM": rebuilt.first.isoformat(),
        "TIDEMARK_TOUCHED": json.dumps({view: day.isoformat() for view, day in rebuilt.touched.items()}),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
