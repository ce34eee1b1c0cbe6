"""The landing store: immutable, typed Parquet files of what providers said, and of what they said wrongly.

Belongs here: landing a load, keeping refused records, and what has landed so far.
Does not: names, checksums and compacted files (`landing_files.py`), what a frame must be (`landing_rows.py`), what rows
look like (`orchestration/sources/datasets`), history files (`bulk_import.py`), compaction (`landing_maintenance.py`).

Files are never changed or replaced; a correction is a second load of the same key, and of several loads of a key the one
with the greatest `load_id` counts. Load ids begin with `loaded_at`, then the clock at writing, then chance: they sort by
time, and writers need no lock.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from orchestration.lib import landing_files
from orchestration.lib.landing_files import (
    COMPRESSION,
    LOAD_ID_TIME,
    SUFFIX,
    UNDATED,
    LandingError,
    Load,
    connect,
    loaded_at_of,
    read_footer,
    read_parquet_sql,
)
from orchestration.lib.landing_listing import DatasetFiles, list_files
from orchestration.lib.landing_rows import (
    check_destination,
    landed_sql,
    quarantine_frame,
    require_zone,
    typed_rows,
    with_common_columns,
)
from orchestration.lib.publication_lags import find_lag, read_lags
from orchestration.sources.datasets import Dataset
from orchestration.sources.validation import Rejected

__all__ = [
    "COMPRESSION",
    "UNDATED",
    "LandingError",
    "LandingStore",
    "Load",
    "connect",
    "find_lag",
    "loaded_at_of",
    "read_lags",
    "read_parquet_sql",
    "require_zone",
]

Result = TypeVar("Result")

MOST_READS = 5
"""Times a read begins anew because a compaction replaced its files meanwhile."""


class LandingStore:
    """Reads and writes `landing/` and `quarantine/` of one data folder. Safe for many writers at once.

    Args:
        root: The data folder, or a place in an object store.
        beside: Folder for what is noted beside landed files; by default `root`.
        ticks: Nanoseconds since 1970, to order loads that carry the same `loaded_at`.
        chance: Text that no other writer draws.
    """

    def __init__(
        self,
        root: Path,
        *,
        beside: Path | None = None,
        ticks: Callable[[], int] = time.time_ns,
        chance: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        """Open a store; nothing is created before the first load."""
        self.root = root
        self.beside = beside or root
        self._ticks = ticks
        self._chance = chance

    def write(
        self,
        dataset: Dataset,
        frame: pl.DataFrame,
        *,
        data_source: str,
        partition: str,
        loaded_at: datetime,
        lag_hours: float,
    ) -> Load | None:
        """Land rows as one new file.

        Args:
            dataset: What the rows are.
            frame: At least the dataset's own columns, in any order; others are dropped. NaN becomes null.
            data_source: `simulated`, `archive` or `live`.
            partition: `YYYY-MM-DD`, `YYYY` or `undated`. For an undated dataset, a day says when it was seen.
            loaded_at: When the load ended, with a time zone.
            lag_hours: Publication lag; `available_at` = end of `market_date` + lag. Undated datasets count the day of
                their partition as `market_date`; in the partition `undated` their `available_at` is null.

        Returns:
            The load, or None for a frame without rows.

        Raises:
            LandingError: A column is missing or does not fit its type, a required value is null, a key occurs twice,
                or partition, data source or time are malformed. Nothing was written.
        """
        loads = self.write_parts(
            dataset, {partition: frame}, data_source=data_source, loaded_at=loaded_at, lag_hours=lag_hours
        )
        return loads[0] if loads else None

    def write_parts(
        self,
        dataset: Dataset,
        parts: Mapping[str, pl.DataFrame],
        *,
        data_source: str,
        loaded_at: datetime,
        lag_hours: float,
    ) -> list[Load]:
        """Land rows as one new file a partition, all of which are written before the first gets its name.

        A disk that fills up leaves none of them. A kill between two names leaves the first partitions of the order given, so give the
        earliest first: what asks from its newest landed day on then asks for the rest.

        Args:
            dataset: What the rows are.
            parts: Rows by partition, as in `write`.
            data_source: As in `write`.
            loaded_at: As in `write`.
            lag_hours: As in `write`.

        Returns:
            The loads, of partitions with rows.

        Raises:
            LandingError: As in `write`.
        """
        prepared = []
        for partition, frame in parts.items():
            check_destination(data_source=data_source, partition=partition, loaded_at=loaded_at)
            rows = typed_rows(dataset, frame)
            if rows.is_empty():
                continue
            load_id = self.new_load_id(loaded_at)
            landed = with_common_columns(
                dataset,
                rows,
                data_source=data_source,
                partition=partition,
                loaded_at=loaded_at,
                lag_hours=lag_hours,
                load_id=load_id,
            )
            prepared.append((partition, load_id, landed))
        loads = []
        with ExitStack() as files:  # which ends with the file begun last
            for partition, load_id, landed in reversed(prepared):
                file = self.new_file("landing", dataset, partition=partition, load_id=load_id)
                temporary, path = files.enter_context(file)
                landed.write_parquet(temporary, compression=COMPRESSION)
                loads.append(Load(dataset.source, dataset.name, partition, load_id, loaded_at, landed.height, path))
        return loads[::-1]

    def write_quarantine(
        self,
        dataset: Dataset,
        rejected: Iterable[Rejected],
        *,
        data_source: str,
        partition: str,
        loaded_at: datetime,
    ) -> Load | None:
        """Keep refused records with their reasons as one new file; None when there are none.

        Raises:
            LandingError: Partition, data source or time are malformed.
        """
        check_destination(data_source=data_source, partition=partition, loaded_at=loaded_at)
        records = list(rejected)
        if not records:
            return None
        load_id = self.new_load_id(loaded_at)
        frame = quarantine_frame(dataset, records, data_source=data_source, loaded_at=loaded_at, load_id=load_id)
        with self.new_file("quarantine", dataset, partition=partition, load_id=load_id) as (temporary, path):
            frame.write_parquet(temporary, compression=COMPRESSION)
        return Load(dataset.source, dataset.name, partition, load_id, loaded_at, frame.height, path)

    def new_load_id(self, loaded_at: datetime) -> str:
        """Draw a load id that sorts by `loaded_at`, then by the moment of writing, and that nobody else has."""
        return f"{loaded_at.astimezone(UTC).strftime(LOAD_ID_TIME)}-{self._ticks():020d}-{self._chance()}"

    def new_file(
        self, area: str, dataset: Dataset, *, partition: str, load_id: str
    ) -> AbstractContextManager[tuple[Path, Path]]:
        """Give a temporary path to write to; on a clean exit it is flushed, renamed and its checksum noted, else removed.

        Returns:
            A context that yields the temporary path, and the path it will have.
        """
        return landing_files.new_file(self.folder(area, dataset), partition=partition, name=f"{load_id}{SUFFIX}")

    def folder(self, area: str, dataset: Dataset) -> Path:
        """Folder of a dataset's partitions."""
        return self.root / area / dataset.source / dataset.name

    def files(self, dataset: Dataset, *, area: str = "landing") -> list[Path]:
        """The files that hold every load of a dataset once, oldest load first.

        Temporary files are not among them, nor are those that a compacted file has replaced.
        """
        return list_files(self.folder(area, dataset)).live

    def loads(self, dataset: Dataset | None = None) -> list[Load]:
        """All landed loads, of one dataset or of all, oldest first."""
        folders = [self.folder("landing", dataset)] if dataset else self.folders("landing")
        loads = [load for folder in folders for load in _loads_of(folder, list_files(folder))]
        return sorted(loads, key=lambda load: load.load_id)

    def folders(self, area: str) -> list[Path]:
        """Folders of all datasets that have one in an area, those no longer registered included."""
        return sorted(path for path in (self.root / area).glob("*/*") if path.is_dir())

    def inputs_hash(self, cutoff: datetime) -> str:
        """Fingerprint of all inputs loaded up to a cut-off: sha256 over their sorted load ids, one a line."""
        names = (load_id for folder in self.folders("landing") for load_id in list_files(folder).load_ids)
        known = sorted(name for name in names if loaded_at_of(name) <= cutoff)
        return hashlib.sha256("\n".join(known).encode()).hexdigest()

    def newest_market_date(self, dataset: Dataset) -> date | None:
        """The newest landed day of a dataset, None before the first load.

        Raises:
            LandingError: The dataset has no `market_date`.
        """
        days = self._query_dates(dataset, "SELECT max(market_date) FROM landed")
        return days[0][0] if days else None

    def newest_market_dates(self, dataset: Dataset, *, by: str) -> dict[str, date]:
        """The newest landed day by a key column, for instance by `market_id`: where the next request begins.

        Raises:
            LandingError: The dataset has no `market_date`, or `by` is no column of its key.
        """
        if by not in dataset.key:
            raise LandingError(f"{dataset.label}: {by} is no key column; those are {', '.join(dataset.key)}")
        return dict(
            self._query_dates(dataset, f"SELECT {by}, max(market_date) FROM landed GROUP BY {by} ORDER BY {by}")
        )

    def newest(self, dataset: Dataset, *, since: date | None = None) -> pl.DataFrame:
        """Of every key the newest load, own and common columns, ordered by key.

        This reads the whole dataset, or that of a dated one from a day on; pipelines read the warehouse's `raw` schema instead.
        """
        schema = pl.Schema(dataset.landed_columns)
        where = "" if since is None else f"WHERE market_date >= DATE '{since}'"

        def read(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> pl.DataFrame:
            return (
                connection.sql(f"{newest_sql(dataset, files, where=where)} ORDER BY {', '.join(dataset.key)}")
                .pl()
                .cast(schema)
            )

        return self._read(dataset, read, empty=pl.DataFrame(schema=schema))

    def changed_rows(self, dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows that are news: key not landed yet, or values that differ from the newest load of the key.

        Args:
            dataset: What the rows are.
            frame: Rows as `write` takes them.

        Returns:
            The news among `frame`, in the dataset's own columns and the order given.

        Raises:
            LandingError: As in `write`.
        """
        rows = typed_rows(dataset, frame)
        if rows.is_empty():
            return rows
        same = " AND ".join(f"incoming.{name} IS NOT DISTINCT FROM known.{name}" for name in dataset.columns)
        within = ""
        if dataset.is_dated:  # statistics of the files let DuckDB skip all other years
            first, last = (rows["market_date"].dt.min(), rows["market_date"].dt.max())
            within = f"WHERE market_date BETWEEN DATE '{first}' AND DATE '{last}'"

        def read(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> list[int]:
            connection.register("incoming", rows.with_row_index("__position").to_arrow())
            kept = connection.sql(
                f"WITH known AS ({newest_sql(dataset, files, where=within)}) "
                f"SELECT __position FROM incoming ANTI JOIN known ON {same} ORDER BY __position"
            ).fetchall()
            return [position for (position,) in kept]

        return rows[self._read(dataset, read, empty=list(range(rows.height)))]

    def _query_dates(self, dataset: Dataset, sql: str) -> list[tuple[Any, ...]]:
        if not dataset.is_dated:
            raise LandingError(f"{dataset.label} is a reference table without market_date")

        def read(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> list[tuple[Any, ...]]:
            return connection.sql(f"WITH landed AS (SELECT * FROM {read_parquet_sql(files)}) {sql}").fetchall()

        return self._read(dataset, read, empty=[])

    def _read(
        self, dataset: Dataset, read: Callable[[duckdb.DuckDBPyConnection, list[Path]], Result], *, empty: Result
    ) -> Result:
        """Read the files of a dataset, anew where a compaction replaced them meanwhile; `empty` before the first load."""
        for _ in range(MOST_READS):
            files = self.files(dataset)
            if not files:
                return empty
            try:
                with connect() as connection:
                    return read(connection, files)
            except duckdb.IOException:
                if self.files(dataset) == files:
                    raise
        raise LandingError(f"{dataset.label}: its files change faster than they can be read; wait for the compaction")


def newest_sql(dataset: Dataset, files: Iterable[Path], *, where: str = "") -> str:
    """Query of the newest load of every key, own and common columns."""
    key = ", ".join(dataset.key)
    return (
        f"SELECT {', '.join(dataset.landed_columns)} FROM {landed_sql(dataset, files)} {where} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY load_id DESC) = 1"
    )


def _loads_of(folder: Path, files: DatasetFiles) -> Iterator[Load]:
    source, dataset = folder.parts[-2:]
    for load_id, path in files.plain.items():
        rows = read_footer(path).num_rows
        yield Load(source, dataset, path.parent.name, load_id, loaded_at_of(load_id), rows, path)
    for each in files.compacted:
        for load in each.loads:
            at = loaded_at_of(load.load_id)
            yield Load(source, dataset, load.partition, load.load_id, at, load.rows, each.path)
