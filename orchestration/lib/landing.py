"""The landing store: immutable, typed Parquet files of what providers said, and of what they said wrongly.

Belongs here: where a load lies, how it gets there in one piece, and what has landed so far.
Does not: what rows look like (`orchestration/sources/datasets.py`), history files (`bulk_import.py`).

    landing/<source>/<dataset>/<partition>/<load_id>.parquet
    quarantine/<source>/<dataset>/<partition>/<load_id>.parquet

One file is one load. It is written under a temporary name in the same folder, flushed to disk and renamed, so a kill
leaves either the whole file or a `*.tmp` that nobody reads. Files are never changed or replaced; a correction is a
second load of the same key, and of several loads of a key the one with the greatest `load_id` counts. Load ids begin
with `loaded_at`, then the clock at writing, then chance: they sort by time, and writers need no lock.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow.parquet as pq

from orchestration.lib.errors import TidemarkError
from orchestration.sources.datasets import DATA_SOURCES, INSTANT, QUARANTINE_COLUMNS, Dataset
from orchestration.sources.validation import Rejected

UNDATED: Final = "undated"
PARTITION: Final = re.compile(r"\d{4}|\d{4}-\d{2}-\d{2}|undated")
LOAD_ID_TIME: Final = "%Y%m%dT%H%M%S%fZ"
COMPRESSION: Final = "zstd"


class LandingError(TidemarkError):
    """A frame, partition or time that must not land; nothing was written."""


@dataclass(frozen=True, slots=True)
class Load:
    """One landed file.

    Attributes:
        source: Provider.
        dataset: Dataset of the provider.
        partition: Day, calendar year or `undated`.
        load_id: Name of the load; sorts by time.
        loaded_at: UTC instant the load ended.
        rows: Rows in the file.
        path: The file.
    """

    source: str
    dataset: str
    partition: str
    load_id: str
    loaded_at: datetime
    rows: int
    path: Path


class LandingStore:
    """Reads and writes `landing/` and `quarantine/` of one data folder. Safe for many writers at once.

    Args:
        root: The data folder.
        ticks: Nanoseconds since 1970, to order loads that carry the same `loaded_at`.
        chance: Text that no other writer draws.
    """

    def __init__(
        self,
        root: Path,
        *,
        ticks: Callable[[], int] = time.time_ns,
        chance: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        """Open a store; nothing is created before the first load."""
        self.root = Path(root)
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
        _check_destination(data_source=data_source, partition=partition, loaded_at=loaded_at)
        rows = _typed(dataset, frame)
        if rows.is_empty():
            return None
        load_id = self.new_load_id(loaded_at)
        landed = rows.with_columns(
            pl.lit(dataset.source).alias("source"),
            pl.lit(data_source).alias("data_source"),
            _available_at(dataset, partition=partition, lag_hours=lag_hours).alias("available_at"),
            pl.lit(loaded_at.astimezone(UTC), dtype=INSTANT).alias("loaded_at"),
            pl.lit(load_id).alias("load_id"),
        ).select(list(dataset.landed_columns))
        with self.new_file("landing", dataset, partition=partition, load_id=load_id) as (temporary, path):
            landed.write_parquet(temporary, compression=COMPRESSION)
        return Load(dataset.source, dataset.name, partition, load_id, loaded_at, landed.height, path)

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
        _check_destination(data_source=data_source, partition=partition, loaded_at=loaded_at)
        records = list(rejected)
        if not records:
            return None
        load_id = self.new_load_id(loaded_at)
        frame = (
            pl.DataFrame({"reason": [each.reason for each in records], "payload": [each.payload for each in records]})
            .with_columns(
                pl.lit(dataset.source).alias("source"),
                pl.lit(dataset.name).alias("dataset"),
                pl.lit(data_source).alias("data_source"),
                pl.lit(loaded_at.astimezone(UTC), dtype=INSTANT).alias("loaded_at"),
                pl.lit(load_id).alias("load_id"),
            )
            .select(list(QUARANTINE_COLUMNS))
        )
        with self.new_file("quarantine", dataset, partition=partition, load_id=load_id) as (temporary, path):
            frame.write_parquet(temporary, compression=COMPRESSION)
        return Load(dataset.source, dataset.name, partition, load_id, loaded_at, frame.height, path)

    def new_load_id(self, loaded_at: datetime) -> str:
        """Draw a load id that sorts by `loaded_at`, then by the moment of writing, and that nobody else has."""
        return f"{loaded_at.astimezone(UTC).strftime(LOAD_ID_TIME)}-{self._ticks():020d}-{self._chance()}"

    @contextmanager
    def new_file(self, area: str, dataset: Dataset, *, partition: str, load_id: str) -> Iterator[tuple[Path, Path]]:
        """Give a temporary path to write to; on a clean exit it is flushed and renamed, else removed.

        Yields:
            The temporary path, and the path it will have.
        """
        folder = self.root / area / dataset.source / dataset.name / partition
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{load_id}.parquet"
        temporary = folder / f".{load_id}.tmp"
        try:
            yield temporary, path
            _flush(temporary)
            temporary.rename(path)
            _flush(folder)
        finally:
            temporary.unlink(missing_ok=True)

    def files(self, dataset: Dataset, *, area: str = "landing") -> list[Path]:
        """All files of a dataset, oldest load first; temporary ones are not among them."""
        folder = self.root / area / dataset.source / dataset.name
        return sorted(folder.glob("*/*.parquet"), key=lambda path: path.name)

    def loads(self, dataset: Dataset | None = None) -> list[Load]:
        """All landed files, of one dataset or of all, oldest load first."""
        within = f"{dataset.source}/{dataset.name}" if dataset else "*/*"
        paths = sorted((self.root / "landing").glob(f"{within}/*/*.parquet"), key=lambda path: path.name)
        return [_load_of(path) for path in paths]

    def inputs_hash(self, cutoff: datetime) -> str:
        """Fingerprint of all inputs loaded up to a cut-off: sha256 over their sorted load ids, one a line."""
        names = (path.name.removesuffix(".parquet") for path in (self.root / "landing").glob("*/*/*/*.parquet"))
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

    def newest(self, dataset: Dataset) -> pl.DataFrame:
        """Of every key the newest load, own and common columns, ordered by key.

        This reads the whole dataset; pipelines read the warehouse's `raw` schema instead.
        """
        files = self.files(dataset)
        if not files:
            return pl.DataFrame(schema=dataset.landed_columns)
        sql = f"{_newest_sql(dataset, files)} ORDER BY {', '.join(dataset.key)}"
        with connect() as connection:
            return connection.sql(sql).pl().cast(pl.Schema(dataset.landed_columns))

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
        rows = _typed(dataset, frame)
        files = self.files(dataset)
        if rows.is_empty() or not files:
            return rows
        same = " AND ".join(f"incoming.{name} IS NOT DISTINCT FROM known.{name}" for name in dataset.columns)
        within = ""
        if dataset.is_dated:  # statistics of the files let DuckDB skip all other years
            first, last = (rows["market_date"].dt.min(), rows["market_date"].dt.max())
            within = f"WHERE market_date BETWEEN DATE '{first}' AND DATE '{last}'"
        with connect() as connection:
            connection.register("incoming", rows.with_row_index("__position").to_arrow())
            kept = connection.sql(
                f"WITH known AS ({_newest_sql(dataset, files, where=within)}) "
                f"SELECT __position FROM incoming ANTI JOIN known ON {same} ORDER BY __position"
            ).fetchall()
        return rows[[position for (position,) in kept]]

    def _query_dates(self, dataset: Dataset, sql: str) -> list[tuple[Any, ...]]:
        if not dataset.is_dated:
            raise LandingError(f"{dataset.label} is a reference table without market_date")
        files = self.files(dataset)
        if not files:
            return []
        with connect() as connection:
            return connection.sql(f"WITH landed AS (SELECT * FROM {read_parquet_sql(files)}) {sql}").fetchall()


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB in UTC, for reading landed files."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def read_parquet_sql(files: Iterable[Path]) -> str:
    """`read_parquet` over the given files, as a table expression; columns are matched by name."""
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"read_parquet([{quoted}], union_by_name = true, hive_partitioning = false)"


def loaded_at_of(load_id: str) -> datetime:
    """Read the time out of a load id.

    Raises:
        LandingError: It is no load id.
    """
    try:
        return datetime.strptime(load_id.partition("-")[0], LOAD_ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        raise LandingError(f"{load_id!r} is no load id; move files that were not landed out of landing/") from None


def read_lags(path: Path) -> dict[tuple[str, str], float]:
    """Read the publication lags in hours by (source, dataset) from the seed file.

    Raises:
        LandingError: A row lacks a column, repeats a dataset, or its lag is no number of at least 0.
    """
    lags: dict[tuple[str, str], float] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                key, hours = (row["source"], row["dataset"]), float(row["lag_hours"])
            except (KeyError, TypeError, ValueError):
                raise LandingError(f"{path}, line {number}: needs source, dataset, lag_hours; it holds {row}") from None
            if key in lags or not 0 <= hours < float("inf"):
                raise LandingError(f"{path}, line {number}: {key} is repeated or its lag {hours:g} is below 0")
            lags[key] = hours
    return lags


def find_lag(lags: Mapping[tuple[str, str], float], dataset: Dataset) -> float:
    """Publication lag of a dataset in hours.

    Raises:
        LandingError: It has none, and guessing one could leak the future.
    """
    try:
        return lags[dataset.source, dataset.name]
    except KeyError:
        raise LandingError(
            f"{dataset.label} has no publication lag; add it to dbt_project/seeds/publication_lags.csv"
        ) from None


def require_zone(moment: datetime, *, name: str) -> None:
    """Refuse an instant without a time zone, which Python would read in the machine's own.

    Raises:
        LandingError: It has none.
    """
    if moment.tzinfo is None:
        raise LandingError(f"{name} {moment.isoformat()} has no time zone; pass UTC")


def _check_destination(*, data_source: str, partition: str, loaded_at: datetime) -> None:
    if data_source not in DATA_SOURCES:
        raise LandingError(f"data source {data_source!r} is none of {', '.join(DATA_SOURCES)}")
    if not PARTITION.fullmatch(partition):
        raise LandingError(f"partition {partition!r} is no YYYY-MM-DD, YYYY or {UNDATED}")
    require_zone(loaded_at, name="loaded_at")


def _typed(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """The dataset's own columns in order and type, checked for required values and repeated keys."""
    missing = [name for name in dataset.columns if name not in frame.columns]
    if missing:
        raise LandingError(f"{dataset.label}: columns {', '.join(missing)} are missing; the frame has {frame.columns}")
    floats = [name for name, dtype in dataset.columns.items() if dtype == pl.Float64]
    try:
        rows = (
            frame.select(list(dataset.columns))
            .cast(pl.Schema(dataset.columns))
            .with_columns(pl.col(floats).fill_nan(None))
        )
    except pl.exceptions.PolarsError as error:
        said = " ".join(str(error).split())[:300]
        raise LandingError(f"{dataset.label}: a column does not fit its type: {said}") from None
    nulls = {name: count for name in dataset.required if (count := rows[name].null_count())}
    if nulls:
        raise LandingError(f"{dataset.label}: required columns hold nulls {nulls}; quarantine such rows")
    if rows.select(dataset.key).is_duplicated().any():
        repeated = rows.filter(rows.select(dataset.key).is_duplicated()).select(dataset.key).row(0)
        raise LandingError(f"{dataset.label}: key {repeated} occurs twice in one load; collapse or quarantine the rows")
    return rows


def _available_at(dataset: Dataset, *, partition: str, lag_hours: float) -> pl.Expr:
    if dataset.is_dated:
        day = pl.col("market_date")
    elif partition == UNDATED:
        return pl.lit(None, dtype=INSTANT)
    else:
        try:
            day = pl.lit(date.fromisoformat(partition))
        except ValueError:
            raise LandingError(
                f"{dataset.label} has no market_date: its partition is {UNDATED} or the day seen, not {partition!r}"
            ) from None
    end = day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + timedelta(days=1, hours=lag_hours)
    return end.cast(INSTANT)


def _newest_sql(dataset: Dataset, files: Iterable[Path], *, where: str = "") -> str:
    key = ", ".join(dataset.key)
    return (
        f"SELECT {', '.join(dataset.landed_columns)} FROM {read_parquet_sql(files)} {where} "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY load_id DESC) = 1"
    )


def _load_of(path: Path) -> Load:
    source, dataset, partition = path.parts[-4:-1]
    load_id = path.name.removesuffix(".parquet")
    rows = pq.ParquetFile(path).metadata.num_rows
    return Load(source, dataset, partition, load_id, loaded_at_of(load_id), rows, path)


def _flush(path: Path) -> None:
    """Make a file or the entries of a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
