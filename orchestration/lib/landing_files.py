"""Files of the landing store: their names, how one gets there whole, and its checksum.

    <area>/<source>/<dataset>/<partition>/<load_id>.parquet             one load
    <area>/<source>/<dataset>/<partition>/<load_id>.parquet.sha256      its checksum, in the format of `sha256sum`
    <area>/<source>/<dataset>/<year>/<load_id>.compacted.parquet        many loads in one file; its footer lists them

Areas are `landing`, `quarantine` and `resolved`. Files are never changed. Three rules make every kill harmless:

1. A file is written under a temporary name that nobody reads, flushed, and renamed; its checksum follows. So a checksum
   without a file means that a landed file was lost, and a file without a checksum comes from before there were any, or
   from a kill between the two renames.
2. A file whose loads a compacted one lists does not count. The rename of the compacted file is therefore the moment at
   which all its loads move, whether the old files are removed now, later, or come back from a backup.
3. A checksum is removed before its file.

Belongs here: names, writing, removing. Does not: which files count (`landing_listing.py`), what a frame must be
(`landing_rows.py`), comparing checksums (`landing_checksums.py`), making compacted files (`landing_maintenance.py`).
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, cast

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.lib.errors import TidemarkError
from orchestration.lib.lake import prepare
from orchestration.lib.object_store import ObjectPath
from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.whole_file import flush, sha256_of
from orchestration.settings import is_set

UNDATED: Final = "undated"
PARTITION: Final = re.compile(r"\d{4}|\d{4}-\d{2}-\d{2}|undated")
LOAD_ID_TIME: Final = "%Y%m%dT%H%M%S%fZ"
COMPRESSION: Final = "zstd"
AREAS: Final = ("landing", "quarantine", "resolved")

SUFFIX: Final = ".parquet"
COMPACTED_SUFFIX: Final = ".compacted.parquet"
CHECKSUM_SUFFIX: Final = ".sha256"
MOST_MOVES: Final = 20
"""Times a file is moved into a folder that is removed just then."""


class LandingError(TidemarkError):
    """A frame, partition, time or file that the landing store refuses; nothing was written."""


@dataclass(frozen=True, slots=True)
class Load:
    """One landed load.

    Attributes:
        source: Provider.
        dataset: Dataset of the provider.
        partition: Day, calendar year or `undated` it landed in.
        load_id: Name of the load; sorts by time.
        loaded_at: UTC instant the load ended.
        rows: Rows of the load.
        path: The file that holds it: its own, or a compacted one.
    """

    source: str
    dataset: str
    partition: str
    load_id: str
    loaded_at: datetime
    rows: int
    path: Path


@contextmanager
def new_file(folder: Path, *, partition: str, name: str) -> Iterator[tuple[Path, Path]]:
    """Give a temporary path to write to; on a clean exit it is flushed, renamed and its checksum noted, else removed.

    Args:
        folder: Folder of the dataset.
        partition: Folder below it.
        name: File name, with its suffix.

    Yields:
        The temporary path, and the path it will have.
    """
    if isinstance(folder, ObjectPath):
        with _new_object(folder / partition / name) as paths:
            yield paths
        return
    folder.mkdir(parents=True, exist_ok=True)
    # Not inside the partition, whose empty folder a compaction may remove at any time.
    temporary, path = folder / f".{name}.tmp", folder / partition / name
    try:
        yield temporary, path
        flush(temporary)
        digest = sha256_of(temporary)
        _move(temporary, path)
        with suppress(FileNotFoundError):  # compacted and removed since: its rows are safe under another checksum
            write_checksum(path, digest)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _new_object(path: ObjectPath) -> Iterator[tuple[Path, Path]]:
    """The same in an object store: written on this machine first, then put under its name whole, its checksum after it."""
    with tempfile.TemporaryDirectory(prefix="tidemark-landing-") as here:
        temporary = Path(here) / path.name
        yield temporary, path
        path.upload(temporary)
        write_checksum(path, sha256_of(temporary))


def remove_file(path: Path) -> None:
    """Remove a file, its checksum first, and the partition's folder when nothing is left in it."""
    checksum_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        path.parent.rmdir()


def read_footer(path: Path) -> pq.FileMetaData:
    """What the footer of a Parquet file says.

    Raises:
        FileNotFoundError: There is no such file.
        LandingError: It is no Parquet file, or no whole one.
    """
    try:
        with path.open("rb") as file:
            return pq.read_metadata(file)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise LandingError(
            f"{path} is cut off or overwritten: {path.stat().st_size} bytes are no whole Parquet file ({error}); restore it from a "
            "backup, or move it away and accept the loss with make compact FORGET_LOST=1"
        ) from None


def last_rows(path: Path, columns: Sequence[str], rows: int) -> pl.DataFrame:
    """The last rows of a Parquet file, at most those of its last row group."""
    with path.open("rb") as file:
        parquet = pq.ParquetFile(file)
        groups = range(parquet.num_row_groups)[-1:]
        read = cast("pl.DataFrame", pl.from_arrow(parquet.read_row_groups(groups, columns=list(columns))))
    return read.select(columns).tail(rows)


def checksum_path(path: Path) -> Path:
    """Where the checksum of a file stands."""
    return path.with_name(path.name + CHECKSUM_SUFFIX)


def read_checksum(path: Path) -> str | None:
    """The checksum noted for a file; None where there is none."""
    try:
        digest = checksum_path(path).read_text(encoding="ascii").partition(" ")[0]
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None


def write_checksum(path: Path, digest: str) -> None:
    """Note the checksum of a file beside it, whole or not at all; `sha256sum -c` reads it."""
    line = f"{digest}  {path.name}\n"
    if isinstance(path, ObjectPath):
        path.with_name(path.name + CHECKSUM_SUFFIX).put(line.encode())
        return
    temporary = path.with_name(f".{path.name}{CHECKSUM_SUFFIX}.{os.getpid()}.tmp")
    try:
        temporary.write_text(line, encoding="ascii")
        flush(temporary)
        temporary.replace(checksum_path(path))
    finally:
        temporary.unlink(missing_ok=True)


def loaded_at_of(load_id: str) -> datetime:
    """Read the time out of a load id.

    Raises:
        LandingError: It is no load id.
    """
    try:
        return datetime.strptime(load_id.partition("-")[0], LOAD_ID_TIME).replace(tzinfo=UTC)
    except ValueError:
        raise LandingError(f"{load_id!r} is no load id; move files that were not landed out of landing/") from None


@contextmanager
def connect(*, threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session in UTC of an in-memory DuckDB, for reading landed files; it sees no temporary table of another session.

    Args:
        threads: How many may work for it, by default as many as there are cores.
    """
    with _database(threads).cursor() as connection:
        yield connection


@cache
def _database(threads: int | None) -> duckdb.DuckDBPyConnection:
    """One of the process: opening one takes longer than most of what is asked."""
    connection = duckdb.connect(config={"threads": threads} if threads else {})
    if is_set("LANDING_URL"):
        prepare(connection)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    # Kept over a run, it would fill the memory with files read once.
    connection.execute("SET GLOBAL enable_external_file_cache = false")
    return connection


def read_parquet_sql(files: Iterable[Path], *, filename: bool = False) -> str:
    """`read_parquet` over the given files, as a table expression; columns are matched by name.

    Args:
        files: At least one file.
        filename: Whether a column `filename` says where a row lies.
    """
    listed = ", ".join(sql_text(str(path)) for path in files)
    named = ", filename = true" if filename else ""
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false{named})"


def _move(temporary: Path, path: Path) -> None:
    """Rename into a folder that a compaction may remove between making it and using it."""
    for _ in range(MOST_MOVES):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.rename(path)
        except FileNotFoundError:
            if not temporary.exists():
                raise
            continue
        with suppress(FileNotFoundError):  # compacted and removed since
            flush(path.parent)
        return
    raise LandingError(f"{path.parent} vanishes as often as it is made; see what removes it, then land again")
