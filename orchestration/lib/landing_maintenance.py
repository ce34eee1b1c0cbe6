"""Compaction: many small landed files become one a dataset and calendar year, and no query gives another answer.

Belongs here: choosing files, writing the compacted one, removing the old ones, and dropping what retention lets go.
Does not: which files count (`landing_files.py`), the command (`orchestration/commands.py`).

The order of steps makes a kill at any instant harmless:

1. All old files are as they landed (checksums); leftovers of a killed compaction are removed.
2. The compacted file is written under a temporary name, read back and compared with the old ones, load by load.
3. It is renamed: from this instant every reader of the store takes it in place of the old ones.
4. Whoever keeps a list of files (the warehouse's raw views) takes the new list.
5. The old files are removed.

The caller holds the run lock, so that no build reads meanwhile. Writers need none: they add files that a compaction under
way does not know and leaves alone. Rows keep `load_id` and `loaded_at`, superseded ones included, so a past state can be
built from the compacted file as before. Retention is off unless settings turn it on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import duckdb

from orchestration.lib.landing import LandingStore, connect
from orchestration.lib.landing_checksums import verify
from orchestration.lib.landing_files import (
    AREAS,
    COMPACTED_SUFFIX,
    COMPRESSION,
    LOAD_ID_TIME,
    SUFFIX,
    UNDATED,
    LandingError,
    loaded_at_of,
    new_file,
    read_parquet_sql,
    remove_file,
)
from orchestration.lib.landing_listing import (
    LOADS_KEY,
    SUPERSEDED_KEY,
    CompactedFile,
    CompactedLoad,
    DatasetFiles,
    list_files,
)
from orchestration.lib.landing_rows import landed_sql
from orchestration.lib.quarantine import partitioned_sql
from orchestration.lib.sql_quoting import sql_text
from orchestration.lib.warehouse import count_rows
from orchestration.sources.datasets import DATASETS, Dataset

LARGEST_BYTES: Final = 128 * 2**20
"""Files above it are left as they are: rewriting them costs more than it saves."""

TEMPORARY_KEPT_SECONDS: Final = 86_400
"""A temporary file older than this belongs to a writer that was killed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be dropped; None keeps everything.

    Attributes:
        quarantine_before: Quarantined records loaded before it, with the notes that they were resolved.
        superseded_before: Rows that another load of the same key, data source and `available_at` superseded before it.
    """

    quarantine_before: datetime | None = None
    superseded_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of the files of one dataset in one area.

    Attributes:
        area: `landing`, `quarantine` or `resolved`.
        label: `source/name`.
        files_before: Files that counted.
        files_after: Files that count.
        bytes_before: Their size before.
        bytes_after: Their size after.
        rows_dropped: Rows that retention let go.
    """

    area: str
    label: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows_dropped: int


def compact(
    store: LandingStore,
    *,
    now: datetime,
    limits: Limits,
    switch_readers: Callable[[], object],
    report: Callable[[str], object],
) -> list[Compacted]:
    """Put small files together, year by year, and drop what may be dropped.

    Args:
        store: The landing store; the caller holds the run lock.
        now: Time of the compaction, names the new files.
        limits: What may be dropped.
        switch_readers: Makes those who keep a list of files take the new one; called before any file is removed.
        report: Told each step before it is made.

    Returns:
        One entry per area and dataset, ordered.

    Raises:
        DamagedFilesError: A file is not as it landed; nothing was changed.
        LandingError: A compacted file holds other rows than the old ones; they stay.
    """
    verify(store.root)
    folders = [folder for area in AREAS for folder in store.folders(area)]
    _remove_replaced(folders, switch_readers=switch_readers, report=report)
    _remove_temporary(store.root, report=report)
    before = {folder: list_files(folder) for folder in folders}
    sizes = {folder: _size(files) for folder, files in before.items()}
    dropped = {folder: sum(_compact_folder(store, folder, before[folder], now, limits, report)) for folder in folders}
    _remove_replaced(folders, switch_readers=switch_readers, report=report)
    results = []
    for folder in folders:
        after = list_files(folder)
        area, source, name = folder.parts[-3:]
        counts = (len(before[folder].live), len(after.live), sizes[folder], _size(after))
        results.append(Compacted(area, f"{source}/{name}", *counts, dropped[folder]))
    return results


def _compact_folder(
    store: LandingStore,
    folder: Path,
    files: DatasetFiles,
    now: datetime,
    limits: Limits,
    report: Callable[[str], object],
) -> Iterator[int]:
    """Compact each year of a folder that has several files or rows to drop; yields the rows dropped."""
    for year, members in _by_year(files).items():
        kept = _kept_sql(folder, files, members, limits)
        with connect(threads=2) as connection:
            surplus = count_rows(connection, _source_sql(folder, members)) - count_rows(connection, f"({kept})")
            if len(members) < 2 and not surplus:
                continue
            report(f"{folder}: {len(members)} files of {year} become one")
            name = f"{store.new_load_id(now)}{COMPACTED_SUFFIX}"
            with new_file(folder, partition=year, name=name) as (temporary, path):
                _write(connection, kept, members, temporary, limits.superseded_before if surplus else None)
                _compare(connection, kept, temporary)
                report(f"{path}: takes the place of {len(members)} files")
        yield surplus


def _by_year(files: DatasetFiles) -> dict[str, list[Path | CompactedFile]]:
    """Files small enough to be put together, by the calendar year of their partition, oldest load first."""
    small = [(load_id, path.parent.name, path) for load_id, path in files.plain.items()]
    every: list[tuple[str, str, Path | CompactedFile]] = [
        *small,
        *((each.loads[0].load_id, each.path.parent.name, each) for each in files.compacted),
    ]
    years: dict[str, list[Path | CompactedFile]] = {}
    for _, partition, member in sorted(every, key=lambda entry: entry[0]):
        if _path(member).stat().st_size <= LARGEST_BYTES:
            years.setdefault(partition if partition == UNDATED else partition[:4], []).append(member)
    return dict(sorted(years.items()))


def _kept_sql(folder: Path, files: DatasetFiles, members: Sequence[Path | CompactedFile], limits: Limits) -> str:
    """The rows of some files that stay, as a query."""
    area, source, name = folder.parts[-3:]
    rows = _source_sql(folder, members)
    if area == "quarantine" and limits.quarantine_before:
        return f"SELECT * FROM {rows} WHERE loaded_at >= {_instant(limits.quarantine_before)}"
    if area == "resolved" and limits.quarantine_before:
        oldest = limits.quarantine_before.strftime(LOAD_ID_TIME)
        return f"SELECT * FROM {rows} WHERE record_load_id >= '{oldest}'"
    dataset = DATASETS.get((source, name))
    if area == "landing" and limits.superseded_before and dataset is not None:
        return _without_superseded(rows, dataset, files, limits.superseded_before)
    return f"SELECT * FROM {rows}"


def _without_superseded(rows: str, dataset: Dataset, files: DatasetFiles, before: datetime) -> str:
    """Rows but those that a load from before the limit superseded.

    A row of another `available_at` supersedes nothing, because reads as of a day between the two need the older one; nor
    does one of another data source, because an import compares with what the import before it landed.
    """
    identity = [*dataset.key, "data_source", "available_at"]
    same = " AND ".join(f"rows.{name} IS NOT DISTINCT FROM newer.{name}" for name in identity)
    columns = ", ".join(identity)
    newest = (
        f"SELECT {columns}, max(load_id) AS load_id FROM {landed_sql(dataset, files.live)} "
        f"WHERE loaded_at < {_instant(before)} GROUP BY {columns}"
    )
    return (
        f"SELECT rows.* FROM {rows} AS rows ANTI JOIN ({newest}) AS newer ON {same} AND rows.load_id < newer.load_id "
        "ORDER BY rows.load_id"
    )


def _source_sql(folder: Path, members: Sequence[Path | CompactedFile]) -> str:
    """All rows of some files, as a table expression."""
    paths = [_path(member) for member in members]
    return partitioned_sql(paths) if folder.parts[-3] == "quarantine" else read_parquet_sql(paths)


def _write(
    connection: duckdb.DuckDBPyConnection,
    kept: str,
    members: Sequence[Path | CompactedFile],
    temporary: Path,
    superseded_before: datetime | None,
) -> None:
    """Write the rows, and in the footer which loads they are; loads without rows stay in the list."""
    rows = dict(connection.execute(f"SELECT load_id, count(*) FROM ({kept}) GROUP BY load_id").fetchall())
    loads = sorted(
        (load.load_id, load.partition, rows.get(load.load_id, 0)) for member in members for load in _loads(member)
    )
    said = {LOADS_KEY: json.dumps(loads)}
    marks = [each.superseded_before for each in members if isinstance(each, CompactedFile) and each.superseded_before]
    marks += [superseded_before] if superseded_before else []
    if marks:
        said[SUPERSEDED_KEY] = max(marks).isoformat()
    listed = ", ".join(f"'{key}': {sql_text(value)}" for key, value in said.items())
    connection.execute(
        f"COPY ({kept}) TO {sql_text(str(temporary))} "
        f"(FORMAT parquet, COMPRESSION {COMPRESSION}, KV_METADATA {{{listed}}})"
    )


def _compare(connection: duckdb.DuckDBPyConnection, kept: str, temporary: Path) -> None:
    """Refuse a compacted file that holds other rows than the ones it stands for.

    Raises:
        LandingError: It does.
    """
    queries = (f"({kept})", read_parquet_sql([temporary]))
    sums = [
        connection.execute(
            f"SELECT load_id, count(*), sum(hash(rows)::HUGEINT) FROM {query} AS rows GROUP BY load_id ORDER BY load_id"
        ).fetchall()
        for query in queries
    ]
    if sums[0] != sums[1]:
        raise LandingError(
            f"{temporary.parent}: the compacted file holds other rows than its loads; nothing was changed"
        )


def _remove_replaced(
    folders: Sequence[Path], *, switch_readers: Callable[[], object], report: Callable[[str], object]
) -> None:
    """Remove the files that a compacted one replaced, after nobody lists them any more."""
    replaced = [path for folder in folders for path in list_files(folder).replaced]
    if not replaced:
        return
    report("readers take the compacted files")
    switch_readers()
    for path in replaced:
        report(f"{path}: is removed")
        remove_file(path)


def _remove_temporary(root: Path, *, report: Callable[[str], object]) -> None:
    """Remove what writers left that were killed."""
    oldest = time.time() - TEMPORARY_KEPT_SECONDS
    for area in AREAS:
        for path in (root / area).rglob(".*.tmp"):
            if path.stat().st_mtime < oldest:
                report(f"{path}: is removed, its writer was killed")
                path.unlink(missing_ok=True)


def _loads(member: Path | CompactedFile) -> Sequence[CompactedLoad]:
    if isinstance(member, CompactedFile):
        return member.loads
    load_id = member.name.removesuffix(SUFFIX)
    loaded_at_of(load_id)  # refuses a file that was not landed
    return [CompactedLoad(load_id, member.parent.name, 0)]


def _path(member: Path | CompactedFile) -> Path:
    return member.path if isinstance(member, CompactedFile) else member


def _size(files: DatasetFiles) -> int:
    return sum(path.stat().st_size for path in files.live)


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.isoformat()}'"
