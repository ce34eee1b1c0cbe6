"""Replay: quarantined records get a second hearing under today's rules and parsers.

Belongs here: judging open records again, landing the rows that pass, noting what is resolved. Does not: reading and
counting them (`quarantine.py`), how a raw record is read (`orchestration/sources/replay.py`).

Rows land first, the note that their records are resolved follows: a kill between the two leaves the records open, and the
next replay finds their rows landed and lands nothing. Two kinds of payload are kept. A *row* has columns of its dataset (a
rule refused it) and is read by its types; a *raw* record is what the provider sent (a parser refused it) and needs a
parser. Rows of an archive are neither: every import judges them again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import polars as pl

from orchestration.lib.contradictions import REFUTED
from orchestration.lib.landing import LandingStore, connect
from orchestration.lib.landing_files import COMPRESSION, UNDATED, loaded_at_of
from orchestration.lib.landing_rows import landed_sql
from orchestration.lib.quarantine import PARTITION_COLUMN, RESOLVED_COLUMNS, quarantine_sql
from orchestration.sources.datasets import INSTANT, Dataset, Dtype
from orchestration.sources.validation import REVERTING_JUMP, Rejected, UnreadableValueError, validate

Parser = Callable[[object, datetime], Sequence[Mapping[str, Any]]]
"""Reads a raw record as it would have been read at an instant; raises `UnreadableValueError` when it still cannot."""

ARCHIVE: Final = "archive"
WAITS_FOR_IMPORT: Final = "a row of an archive: every import judges it again"
NO_PARSER: Final = "no parser for raw records of this dataset"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the open records of a dataset. `records = accepted + sum(refused)`.

    Attributes:
        dataset: The dataset.
        records: Open records before.
        accepted: Records that pass now and are resolved.
        landed: Rows that landed; fewer than `accepted` where the same or a newer load of a key was there.
        refused: Records that stay open, by reason.
    """

    dataset: Dataset
    records: int = 0
    accepted: int = 0
    landed: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Record:
    """An open record, in the order of loads."""

    reason: str
    payload: str
    load_id: str
    partition: str
    data_source: str


def replay(
    store: LandingStore, dataset: Dataset, parsers: Mapping[str, Parser], *, loaded_at: datetime, lag_hours: float
) -> Replayed:
    """Judge the open records of a dataset again; land the rows that now pass, and note their records as resolved.

    Rows keep their `market_date` and `data_source`, and land as a load of now: nothing that was built before had them. A
    row whose key a load after the record's has landed is old news and stays out. Replaying twice lands nothing more.

    Args:
        store: The landing store; the caller holds the run lock.
        dataset: Whose records.
        parsers: Readers of raw records by `source/dataset`.
        loaded_at: Time of this load, with a time zone.
        lag_hours: Publication lag of the dataset.

    Raises:
        LandingError: See `LandingStore.write`.
    """
    records = _open_records(store, dataset)
    refused: Counter[str] = Counter()
    passing: list[tuple[_Record, list[dict[str, Any]]]] = []
    for batch in _by_load(records):
        accepted, reasons = _judge(dataset, batch, parsers.get(dataset.label))
        passing += accepted
        refused.update(reasons)
    landed = _land(store, dataset, passing, loaded_at=loaded_at, lag_hours=lag_hours)
    _note(store, dataset, [record for record, _ in passing], loaded_at=loaded_at)
    return Replayed(dataset, len(records), len(passing), landed, dict(refused.most_common()))


def _open_records(store: LandingStore, dataset: Dataset) -> list[_Record]:
    columns = f"reason, payload, load_id, {PARTITION_COLUMN}, data_source"
    sql = f"SELECT {columns} FROM {quarantine_sql(store, dataset)} WHERE resolved_at IS NULL ORDER BY load_id"
    with connect() as connection:
        return [_Record(*row) for row in connection.sql(sql).fetchall()]


def _by_load(records: Sequence[_Record]) -> list[list[_Record]]:
    """Records of one load together: rows that disagreed within one answer must meet again."""
    batches: dict[str, list[_Record]] = {}
    for record in records:
        batches.setdefault(record.load_id, []).append(record)
    return list(batches.values())


def _judge(
    dataset: Dataset, batch: Sequence[_Record], parser: Parser | None
) -> tuple[list[tuple[_Record, list[dict[str, Any]]]], list[str]]:
    """The records of one load that pass now with their rows, and the reasons of those that do not."""
    now = _moment_of(batch[0])
    read: list[tuple[_Record, list[dict[str, Any]]]] = []
    reasons: list[str] = []
    for record in batch:
        try:
            read.append((record, _read(dataset, record, parser, now=now)))
        except UnreadableValueError as error:
            reasons.append(str(error))
    judged = validate(dataset, [row for _, rows in read for row in rows], now=now)
    reason_of = {rejected.payload: rejected.reason for rejected in judged.rejected}
    passing = []
    for record, rows in read:
        against = [reason for row in rows if (reason := reason_of.get(Rejected.of("", row).payload)) is not None]
        if against:
            reasons.append(against[0])
        else:
            passing.append((record, rows))
    return passing, reasons


def _read(dataset: Dataset, record: _Record, parser: Parser | None, *, now: datetime) -> list[dict[str, Any]]:
    """The rows a record holds, typed.

    Raises:
        UnreadableValueError: It cannot be read.
    """
    if record.data_source == ARCHIVE:
        raise UnreadableValueError(WAITS_FOR_IMPORT)
    # A finding about a row that landed as delivered, or a row that no rule on itself refused.
    if record.reason == REVERTING_JUMP or record.reason in REFUTED:
        raise UnreadableValueError(record.reason)
    try:
        payload = json.loads(record.payload)
    except ValueError:
        raise UnreadableValueError("payload is no JSON") from None
    if isinstance(payload, dict) and set(dataset.key) <= set(payload) <= set(dataset.columns):
        return [{name: _cast(payload.get(name), dtype, name) for name, dtype in dataset.columns.items()}]
    if parser is None:
        raise UnreadableValueError(f"{record.reason} ({NO_PARSER})")
    rows = parser(payload, now)
    return [{name: _cast(row.get(name), dtype, name) for name, dtype in dataset.columns.items()} for row in rows]


def _cast(value: object, dtype: Dtype, name: str) -> Any:
    """A value of a payload as its column has it; NaN becomes null.

    Raises:
        UnreadableValueError: It does not fit.
    """
    if value is None or value != value:
        return None
    readers: dict[Any, tuple[tuple[type, ...], Callable[[Any], Any]]] = {
        pl.Date: ((str, date), lambda text: text if isinstance(text, date) else date.fromisoformat(text)),
        pl.Float64: ((int, float), float),
        pl.Int64: ((int,), int),
        pl.Boolean: ((bool,), bool),
        pl.String: ((str,), str),
        INSTANT: ((str, datetime), lambda text: text if isinstance(text, datetime) else datetime.fromisoformat(text)),
    }
    types, read = next(entry for known, entry in readers.items() if dtype == known)
    if isinstance(value, types) and (types == (bool,) or not isinstance(value, bool)):
        try:
            return read(value)
        except (ValueError, OverflowError):
            pass
    raise UnreadableValueError(f"{name} is {value!r:.40}, which is no {dtype}")


def _moment_of(record: _Record) -> datetime:
    """The latest instant at which a record can have been asked for: before the end of the day after its partition's.

    Time that passed since must not make a timestamp from the future acceptable; a simulated run lands years after its day.
    """
    loaded_at = loaded_at_of(record.load_id)
    try:
        day = date.fromisoformat(record.partition)
    except ValueError:  # a calendar year
        return loaded_at
    last = datetime.combine(day + timedelta(days=2), time(), UTC) - timedelta(microseconds=1)
    return min(loaded_at, last)


def _land(
    store: LandingStore,
    dataset: Dataset,
    passing: Sequence[tuple[_Record, list[dict[str, Any]]]],
    *,
    loaded_at: datetime,
    lag_hours: float,
) -> int:
    """Land what is news, one file a data source and partition; returns the rows."""
    newest: dict[tuple[Any, ...], tuple[_Record, dict[str, Any]]] = {}
    for record, rows in passing:  # in the order of loads, so that the newest stays
        newest |= {tuple(row[name] for name in dataset.key): (record, row) for row in rows}
    overtaken = _overtaken(store, dataset, {key: record.load_id for key, (record, _) in newest.items()})
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, (record, row) in newest.items():
        if key not in overtaken:
            groups.setdefault((record.data_source, _partition_of(dataset, record, row, loaded_at)), []).append(row)
    landed = 0
    for (data_source, partition), rows in sorted(groups.items(), key=lambda item: item[0]):
        changed = store.changed_rows(dataset, pl.DataFrame(rows, schema=dataset.columns))
        load = store.write(
            dataset, changed, data_source=data_source, partition=partition, loaded_at=loaded_at, lag_hours=lag_hours
        )
        landed += load.rows if load else 0
    return landed


def _overtaken(store: LandingStore, dataset: Dataset, load_ids: Mapping[tuple[Any, ...], str]) -> set[tuple[Any, ...]]:
    """The keys that a load after the given one has landed."""
    files = store.files(dataset)
    if not files or not load_ids:
        return set()
    schema = {**{name: dataset.columns[name] for name in dataset.key}, "__load_id": pl.String}
    records = pl.DataFrame([(*key, load_id) for key, load_id in load_ids.items()], schema=schema, orient="row")
    key = ", ".join(f"records.{name}" for name in dataset.key)
    same = " AND ".join(f"records.{name} IS NOT DISTINCT FROM landed.{name}" for name in dataset.key)
    with connect() as connection:
        connection.register("records", records.to_arrow())
        rows = connection.sql(
            f"SELECT DISTINCT {key} FROM records JOIN {landed_sql(dataset, files)} AS landed "
            f"ON {same} AND landed.load_id > records.__load_id"
        ).fetchall()
    return set(rows)


def _partition_of(dataset: Dataset, record: _Record, row: Mapping[str, Any], loaded_at: datetime) -> str:
    """Where a row lands: its calendar year as in a backfill; an undated one the day it was seen."""
    if dataset.is_dated:
        return f"{row['market_date']:%Y}"
    is_day = record.partition != UNDATED and len(record.partition) > len("YYYY")
    return record.partition if is_day else f"{loaded_at.astimezone(UTC):%Y-%m-%d}"


def _note(store: LandingStore, dataset: Dataset, records: Sequence[_Record], *, loaded_at: datetime) -> None:
    """Write which records are resolved, as one file."""
    if not records:
        return
    load_id = store.new_load_id(loaded_at)
    frame = pl.DataFrame(
        {
            "source": dataset.source,
            "dataset": dataset.name,
            "record_load_id": [record.load_id for record in records],
            "record_hash": [record_hash(record.reason, record.payload) for record in records],
            "loaded_at": loaded_at.astimezone(UTC),
            "load_id": load_id,
        },
        schema=RESOLVED_COLUMNS,
    ).unique(maintain_order=True)
    partition = f"{loaded_at.astimezone(UTC):%Y-%m-%d}"
    with store.new_file("resolved", dataset, partition=partition, load_id=load_id) as (temporary, _path):
        frame.write_parquet(temporary, compression=COMPRESSION)


def record_hash(reason: str, payload: str) -> str:
    """What identifies a record within its load."""
    return hashlib.sha256(f"{reason}\n{payload}".encode()).hexdigest()
