"""Bulk import: years of history from Parquet and CSV files into the landing store, as a mapping file says.

Belongs here: the files of an archive one after the other, and their check before anything is written.
Does not: what happens to the rows of one file (`bulk_staging.py`), the mapping file's own shape (`import_mapping.py`),
where and how a file lands (`landing.py`), row rules (`orchestration/sources/datasets`).

Importing again is cheap and needs no memory of earlier imports: the file is compared with what has landed. A receipt
beside the data would be faster still, but it can disagree with the data; the landed rows cannot. A row lands when its
key has not landed yet, or as a correction when the newest *archive* load of its key has other values. Keys that only a
live load has are left alone: the file is no news about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
from pyarrow import ArrowException, parquet

from orchestration.lib.bulk_staging import ImportResult, StagedFile, rows_sql, scan
from orchestration.lib.fenced import fenced
from orchestration.lib.import_mapping import ArchiveMapping, FileMapping, MappingError, load_mapping
from orchestration.lib.landing import LandingStore, find_lag, require_zone

__all__ = [
    "ArchiveMapping",
    "ImportResult",
    "MappingError",
    "archive_span",
    "import_archive",
    "load_mapping",
    "validate_archive",
]

MOST_ROWS: Final = 200_000_000
"""Of one file: 20,000 tokens for 27 years by day."""


def import_archive(
    mapping: ArchiveMapping,
    archive_dir: Path,
    store: LandingStore,
    *,
    as_of: datetime,
    loaded_at: datetime,
    lags: Mapping[tuple[str, str], float],
) -> list[ImportResult]:
    """Land what the files of an archive say and had been known at an instant.

    Files land in partitions by calendar year of `market_date`, reference tables in `undated`. A kill between two
    years leaves the earlier ones landed; the next import adds the rest.

    Args:
        mapping: Which column is what, from `load_mapping`.
        archive_dir: Folder of the files; only read.
        store: Where they land, with `data_source` archive.
        as_of: Rows with `available_at` after it are left for a later import. With a time zone.
        loaded_at: Time of this import. With a time zone.
        lags: Publication lags, from `landing.read_lags`.

    Returns:
        One result a file, in the order of the mapping; absent files are listed as skipped.

    Raises:
        MappingError: A required file is absent, or a file lacks a column that the mapping names, or SQL of the mapping
            does not run. All problems at once, before anything is written.
        LandingError: A dataset has no publication lag, or an instant no time zone.
    """
    require_zone(as_of, name="as_of")
    require_zone(loaded_at, name="loaded_at")
    present = _check_files(mapping, archive_dir)
    horizons = {entry.dataset: _last_known_day(as_of, find_lag(lags, entry.target)) for entry in mapping.files}
    results = []
    for entry in mapping.files:
        if entry not in present:
            results.append(ImportResult(entry.path, entry.dataset, skipped=_absence(entry, archive_dir)))
            continue
        landed = store.files(entry.target)
        with _staged(entry, archive_dir, last_day=horizons[entry.dataset], landed=landed, also=[store.root]) as staged:
            lag_hours = find_lag(lags, entry.target)
            staged.land(store, loaded_at=loaded_at, lag_hours=lag_hours)
            staged.quarantine(store, loaded_at=loaded_at, partition=str(as_of.year))
            results.append(staged.result())
    return results


def validate_archive(mapping: ArchiveMapping, archive_dir: Path) -> list[ImportResult]:
    """Read and check every file as an import would, for all days, without writing anything.

    Returns:
        One result a file; rows that would land in an empty store are counted as `landed`.

    Raises:
        MappingError: As in `import_archive`.
    """
    present = _check_files(mapping, archive_dir)
    results = []
    for entry in mapping.files:
        if entry not in present:
            results.append(ImportResult(entry.path, entry.dataset, skipped=_absence(entry, archive_dir)))
            continue
        with _staged(entry, archive_dir, last_day=None, landed=[]) as staged:
            results.append(staged.result())
    return results


def archive_span(mapping: ArchiveMapping, archive_dir: Path) -> tuple[date, date]:
    """First and last market_date of the files that every import needs (daily prices).

    Raises:
        MappingError: Such a file is absent or does not fit the mapping, or no file is required.
    """
    present = [entry for entry in _check_files(mapping, archive_dir) if entry.required and entry.target.is_dated]
    if not present:
        raise MappingError(
            ["no dated file of the mapping is required; mark the one with daily prices `required: true`"]
        )
    spans = []
    with fenced([archive_dir]) as connection:
        for entry in present:
            day = entry.transforms()["market_date"]
            expression = day.to_sql() if day else "NULL"
            try:
                span = connection.execute(
                    f"SELECT min(day), max(day) FROM (SELECT TRY_CAST({expression} AS DATE) AS day "
                    f"FROM ({rows_sql(entry, archive_dir)}) WHERE {entry.condition()})"
                ).fetchone()
            except duckdb.Error as error:
                path = archive_dir / entry.path
                raise MappingError(
                    [f"{path}: cannot be read to its end ({_first_line(error)}); replace the file"]
                ) from None
            if span is None or span[0] is None:
                raise MappingError([f"{entry.path}: no row has a readable market_date; check the mapping's column"])
            spans.append(span)
    return min(first for first, _ in spans), max(last for _, last in spans)


def _check_files(mapping: ArchiveMapping, archive_dir: Path) -> list[FileMapping]:
    """List the entries whose files are there, after making sure that every one of them can be read as mapped."""
    problems: list[str] = []
    present: list[FileMapping] = []
    for entry in mapping.files:
        missing = _missing_files(entry, archive_dir)
        if not missing:
            present.append(entry)
            problems += _file_problems(entry, archive_dir) or _column_problems(entry, archive_dir)
        elif entry.required:
            path = archive_dir / missing[0]
            problems.append(f"{path}: is required for {entry.dataset} and absent; put it there or correct `path`")
    if problems:
        raise MappingError(problems)
    return present


def _missing_files(entry: FileMapping, archive_dir: Path) -> list[str]:
    return [path for path in (entry.path, *entry.beside.values()) if not (archive_dir / path).is_file()]


def _absence(entry: FileMapping, archive_dir: Path) -> str:
    """Why an entry is not read."""
    beside = [path for path in _missing_files(entry, archive_dir) if path != entry.path]
    return f"needs {', '.join(beside)}, not in the archive" if beside else "not in the archive"


def _file_problems(entry: FileMapping, archive_dir: Path) -> list[str]:
    """Files that lead out of the archive, or claim more rows than any history has."""
    problems = []
    for path in (archive_dir / name for name in (entry.path, *entry.beside.values())):
        if not path.resolve().is_relative_to(archive_dir.resolve()):
            problems.append(f"{path}: is a link out of the archive, to {path.resolve()}; put the file itself there")
        elif path.suffix == ".parquet" and (rows := _claimed_rows(path)) > MOST_ROWS:
            problems.append(f"{path}: claims {rows:,} rows, {MOST_ROWS:,} are the most; split the file, or replace it")
    return problems


def _claimed_rows(path: Path) -> int:
    """Rows of a Parquet file as its end says; a few kilobytes can hold any number of equal ones."""
    try:
        return int(parquet.read_metadata(path).num_rows)
    except (OSError, ArrowException):
        return 0  # that it cannot be read is said where its columns are looked for


def _column_problems(entry: FileMapping, archive_dir: Path) -> list[str]:
    path = archive_dir / entry.path
    with fenced([archive_dir]) as connection:
        for each in (path, *(archive_dir / other for other in entry.beside.values())):
            try:
                connection.sql(f"DESCRIBE SELECT * FROM {scan(each)}")
            except duckdb.Error as error:
                return [f"{each}: cannot be read as {each.suffix[1:]} ({_first_line(error)}); replace the file"]
        rows = rows_sql(entry, archive_dir)
        try:
            columns = [name for name, *_ in connection.sql(f"DESCRIBE {rows}").fetchall()]
        except duckdb.Error as error:
            return [f"{path}: from_sql of the mapping does not run ({_first_line(error)})"]
        there = f"{'the file' if entry.from_sql is None else 'from_sql'} has {', '.join(columns)}"
        missing = [f"{path}: has no column {name}; {there}" for name in sorted(entry.named_columns() - set(columns))]
        if missing:
            return missing
        problems = []
        expressions = {
            f"columns.{name}": each.to_sql() for name, each in entry.transforms().items() if each is not None
        }
        expressions |= {f"dedupe[{number}]": each.to_sql() for number, each in enumerate(entry.dedupe)}
        expressions["where"] = entry.condition()
        for key, sql in expressions.items():
            try:
                connection.sql(f"DESCRIBE SELECT {sql} FROM ({rows})")
            except duckdb.Error as error:
                problems.append(f"{path}: {key} of the mapping does not run ({_first_line(error)}); {there}")
        return problems


@contextmanager
def _staged(
    entry: FileMapping, archive_dir: Path, *, last_day: date | None, landed: list[Path], also: Sequence[Path] = ()
) -> Iterator[StagedFile]:
    with fenced([archive_dir, *also]) as connection:
        try:
            staged = StagedFile(connection, entry, archive_dir, last_day=last_day, landed=landed)
        except duckdb.Error as error:  # a head that can be read says nothing of what follows
            path = archive_dir / entry.path
            raise MappingError(
                [f"{path}: cannot be read to its end ({_first_line(error)}); replace the file"]
            ) from None
        yield staged


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _last_known_day(as_of: datetime, lag_hours: float) -> date:
    """The newest market date whose facts had been known at `as_of`."""
    return (as_of.astimezone(UTC) - timedelta(days=1, hours=lag_hours)).date()
