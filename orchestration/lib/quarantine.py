"""Quarantine: what providers said wrongly, and how much of it is still open.

Belongs here: reading and counting quarantined records. Does not: refusing them (`orchestration/sources`), hearing them
again (`quarantine_replay.py`), files (`landing_files.py`).

A quarantined record is never changed. That it was resolved is a row of its own, in a file of the area `resolved`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from orchestration.lib.landing import LandingStore, connect
from orchestration.lib.landing_listing import list_files
from orchestration.lib.landing_rows import typed_sql
from orchestration.sources.datasets import INSTANT, QUARANTINE_COLUMNS, Dataset, Dtype
from orchestration.sources.validation import DISAGREEING, Rejected

RESOLVED_COLUMNS: Final[Mapping[str, Dtype]] = {
    "source": pl.String,
    "dataset": pl.String,
    "record_load_id": pl.String,
    "record_hash": pl.String,
    "loaded_at": INSTANT,
    "load_id": pl.String,
}
"""Of a resolved record: which it is (load that quarantined it, sha256 of reason and payload), and when it passed."""

PARTITION_COLUMN: Final = "landing_partition"


def quarantine_sql(store: LandingStore, dataset: Dataset | None = None) -> str:
    """All quarantined records, of one dataset or of all, as a table expression.

    Columns are `QUARANTINE_COLUMNS`, `landing_partition` (the day in daily loads) and `resolved_at` (null while open).
    """
    rows = partitioned_sql(_files(store, "quarantine", dataset))
    resolved = typed_sql(RESOLVED_COLUMNS, _files(store, "resolved", dataset))
    listed = ", ".join(f"records.{name}" for name in (*QUARANTINE_COLUMNS, PARTITION_COLUMN))
    return (
        f"(SELECT {listed}, resolved.resolved_at FROM {rows} AS records LEFT JOIN "
        f"(SELECT record_load_id, record_hash, min(loaded_at) AS resolved_at FROM {resolved} GROUP BY ALL) AS resolved "
        "ON records.load_id = resolved.record_load_id "
        f"AND sha256(records.reason || chr(10) || records.payload) = resolved.record_hash)"
    )


def partitioned_sql(files: Iterable[Path]) -> str:
    """Quarantine files as a table expression with the partition each record was refused in."""
    columns = {**QUARANTINE_COLUMNS, PARTITION_COLUMN: pl.String}
    return (
        f"(SELECT * EXCLUDE (filename) REPLACE (coalesce({PARTITION_COLUMN}, parse_path(filename)[-2]) AS {PARTITION_COLUMN}) "
        f"FROM {typed_sql(columns, files, filename=True)})"
    )


def summarise(store: LandingStore, dataset: Dataset | None = None) -> pl.DataFrame:
    """Count quarantined records, for the UI and the terminal.

    Returns:
        One row per source, dataset and reason, most open records first: `open_records`, `resolved_records`,
        `newest_at` (when the newest was refused).
    """
    sql = (
        "SELECT source, dataset, reason, count(*) FILTER (resolved_at IS NULL) AS open_records, "
        "count(resolved_at) AS resolved_records, max(loaded_at) AS newest_at "
        f"FROM {quarantine_sql(store, dataset)} GROUP BY ALL ORDER BY open_records DESC, source, dataset, reason"
    )
    with connect() as connection:
        return connection.sql(sql).pl()


def unseen(store: LandingStore, dataset: Dataset, rejected: Sequence[Rejected]) -> list[Rejected]:
    """The records that are not in quarantine yet: days are read again, and what was refused is refused each time.

    Of rows that disagree with one another all are kept when one is new, or a replay would hear one side alone.
    """
    if not rejected or not _files(store, "quarantine", dataset):
        return list(rejected)
    with connect() as connection:
        known = set(connection.sql(f"SELECT reason, payload FROM {quarantine_sql(store, dataset)}").fetchall())
    fresh = {(each.reason, each.payload) for each in rejected} - known
    has_new_side = any(reason == DISAGREEING for reason, _ in fresh)
    return [
        each
        for each in rejected
        if (each.reason, each.payload) in fresh or (has_new_side and each.reason == DISAGREEING)
    ]


def _files(store: LandingStore, area: str, dataset: Dataset | None) -> list[Path]:
    folders = [store.folder(area, dataset)] if dataset else store.folders(area)
    return [path for folder in folders for path in list_files(folder).live]
