"""A scratch warehouse that dbt builds from frames landed by a test: no provider, no HTTP, no Dagster."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from orchestration.lib.connections import LAGS
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore, find_lag, read_lags
from orchestration.lib.resources import EVERY_DAY, RebuiltDays, dbt_environment
from orchestration.lib.warehouse import connect, create_raw_views, create_schemas
from orchestration.lib.weeks import instant_of
from orchestration.sources.datasets import Dataset
from tests.integration.warehouse.dbt_server import DbtDone, DbtServer

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
TESTED = ("--exclude", "tidemark.api", "--exclude-resource-type", "unit_test")
"""What a run builds, with dbt's tests of the data, but for the views of `api`."""
MODELS = (*TESTED, "--exclude-resource-type", "test")
"""The same without the tests, which cost a quarter of a build and hold of one whose relations equal those of a tested one."""
STANDING = ("--exclude", "tidemark.api", "feature_catalogue", "--exclude-resource-type", "seed")
"""Arguments that leave out what depends neither on what has landed nor on the week, which views of staging know."""
UNIT_TESTED = ("--exclude", "tidemark.api", "--exclude-resource-type", "test")
"""The same with dbt's unit tests, which need tables for their columns and nothing else."""
QUIETLY = ("--log-level-file", "none")
"""What dbt prints is kept; a log of everything else would be as long as the build."""


@dataclass
class ScratchWarehouse:
    """Landing and warehouse of one test in a folder of its own.

    Attributes:
        root: The folder.
        dbt: Runs dbt; shared by all warehouses of a session, so that the project is parsed once.
        loads: Loads so far; every load is a minute later than the one before.
    """

    root: Path
    dbt: DbtServer
    loads: int = field(default=0)
    _is_built: bool = field(default=False, init=False)
    _reader: duckdb.DuckDBPyConnection | None = field(default=None, init=False)

    @property
    def store(self) -> LandingStore:
        """Where rows land."""
        return LandingStore(self.root)

    def copy_to(self, other: "ScratchWarehouse") -> "ScratchWarehouse":
        """The other warehouse, in the place of whose file is now a copy of this one's."""
        with connect(DataFolder(self.root).warehouse) as connection:
            connection.execute("checkpoint")
        shutil.copy(DataFolder(self.root).warehouse, DataFolder(other.root).warehouse)
        return other

    def land(self, dataset: Dataset, frame: pl.DataFrame, *, partition: str | None = None) -> None:
        """Land rows of a dataset; columns left out are null."""
        self.loads += 1
        complete = frame.select(
            pl.col(column).cast(dtype) if column in frame.columns else pl.lit(None, dtype).alias(column)
            for column, dtype in dataset.columns.items()
        )
        self.store.write(
            dataset,
            complete,
            data_source="simulated",
            partition=partition or ("2000" if dataset.is_dated else "undated"),
            loaded_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.loads),
            lag_hours=find_lag(read_lags(LAGS), dataset),
        )

    def land_all(self, frames: Mapping[str, tuple[Dataset, pl.DataFrame]]) -> None:
        """Land one load of every dataset that has rows; a label `source/name@day` says on which day an undated one was read."""
        for label, (dataset, frame) in frames.items():
            if not frame.is_empty():
                self.land(dataset, frame, partition=label.partition("@")[2] or None)

    def build(self, week: date, *, rebuilt: RebuiltDays = EVERY_DAY, arguments: tuple[str, ...] = MODELS) -> str:
        """Build as of Monday `week` as the weekly run does, a full refresh where days are computed from the first one on.

        Returns:
            What dbt printed.
        """
        folder = DataFolder(self.root)
        with connect(folder.warehouse) as connection:
            create_schemas(connection)
            create_raw_views(connection, self.root, input_cutoff=LATEST)
        # Seeds and the catalogue are files, so only the first build of a warehouse makes them.
        again = STANDING if self._is_built and arguments == MODELS else ()
        refresh = ("--full-refresh",) if rebuilt == EVERY_DAY else ()
        done = self.call_dbt("build", *refresh, *arguments, *again, week=week, rebuilt=rebuilt)
        assert done.code == 0, done.printed[-6000:]
        self._is_built = self._is_built or arguments in (MODELS, TESTED)
        return done.printed

    def call_dbt(self, *arguments: str, week: date, rebuilt: RebuiltDays) -> DbtDone:
        """Run a dbt command on the warehouse as of Monday `week`."""
        with dbt_environment(DataFolder(self.root), as_of=instant_of(week), rebuilt=rebuilt):
            return self.dbt.call(*QUIETLY, *arguments)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep the warehouse open for reading, since opening it costs as much as most queries."""
        with connect(DataFolder(self.root).warehouse, read_only=True) as self._reader:
            try:
                yield
            finally:
                self._reader = None

    def query(self, sql: str) -> pl.DataFrame:
        """The answer of the warehouse to a query."""
        if self._reader is not None:
            return self._reader.execute(sql).pl()
        with connect(DataFolder(self.root).warehouse, read_only=True) as connection:
            return connection.execute(sql).pl()

    def relations(self, *schemas: str) -> list[str]:
        """Tables and views of some schemas as `schema.name`."""
        rows = self.query("select table_schema, table_name from information_schema.tables order by all").rows()
        return [f"{schema}.{name}" for schema, name in rows if schema in schemas]
