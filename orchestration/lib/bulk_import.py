"""Bulk import: years of history from Parquet and CSV files into the landing store, as a mapping file says.

Belongs here: reading, checking and landing the files of an archive, in DuckDB from end to end.
Does not: the mapping file's own shape (`import_mapping.py`), where and how a file lands (`landing.py`), row rules
(`orchestration/sources/datasets.py`).

Importing again is cheap and needs no memory of earlier imports: what has landed is read back, reduced to one hash per
key, and joined against the file. A receipt beside the data would be faster still, but it can disagree with the data;
the landed rows cannot. A row lands when its key has not landed yet, or as a correction when the newest *archive* load
of its key has other values. Keys that only a live load has are left alone: the file is no news about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb

from orchestration.lib.import_mapping import (
    ArchiveMapping,
    FileMapping,
    MappingError,
    load_mapping,
    quote_name,
    quote_value,
    sql_type,
)
from orchestration.lib.landing import (
    COMPRESSION,
    UNDATED,
    LandingStore,
    connect,
    find_lag,
    read_parquet_sql,
    require_zone,
)
from orchestration.sources.datasets import QUARANTINE_COLUMNS, Dataset

__all__ = [
    "ArchiveMapping",
    "ImportResult",
    "MappingError",
    "archive_span",
    "import_archive",
    "load_mapping",
    "validate_archive",
]

DATA_SOURCE: Final = "archive"
DISAGREEING: Final = "rows of one key disagree and no dedupe rule decides"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one file. All counts are rows, and they add up:

    `read = filtered + after_as_of + quarantined + duplicates + unchanged + landed`.

    Attributes:
        file: Path within the archive.
        dataset: `source/name` it became.
        read: Rows in the file.
        filtered: Left out by the mapping's filters.
        after_as_of: Not yet known at `as_of`; they land when it moves on.
        quarantined: Refused, whether kept now or by an earlier import.
        duplicates: Left out by the dedupe rule, or equal to a row that stayed.
        unchanged: Landed before with the same values.
        landed: Written now.
        corrections: Among `landed`, those whose key had landed with other values.
        reasons: Refused rows by reason.
        skipped: Why the file was not read; None if it was.
    """  # noqa: D415 - the sum belongs to the summary

    file: str
    dataset: str
    read: int = 0
    filtered: int = 0
    after_as_of: int = 0
    quarantined: int = 0
    duplicates: int = 0
    unchanged: int = 0
    landed: int = 0
    corrections: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    skipped: str | None = None


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
            results.append(ImportResult(entry.path, entry.dataset, skipped="not in the archive"))
            continue
        with _staged(entry, archive_dir / entry.path, last_day=horizons[entry.dataset]) as staged:
            staged.compare(store)
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
            results.append(ImportResult(entry.path, entry.dataset, skipped="not in the archive"))
            continue
        with _staged(entry, archive_dir / entry.path, last_day=None) as staged:
            results.append(staged.would_land())
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
    with connect() as connection:
        for entry in present:
            day = entry.transforms()["market_date"]
            expression = day.to_sql() if day else "NULL"
            span = connection.execute(
                f"SELECT min(day), max(day) FROM (SELECT TRY_CAST({expression} AS DATE) AS day "
                f"FROM {_scan(archive_dir / entry.path)} WHERE {entry.condition()})"
            ).fetchone()
            if span is None or span[0] is None:
                raise MappingError([f"{entry.path}: no row has a readable market_date; check the mapping's column"])
            spans.append(span)
    return min(first for first, _ in spans), max(last for _, last in spans)


def _check_files(mapping: ArchiveMapping, archive_dir: Path) -> list[FileMapping]:
    """List the entries whose file is there, after making sure that every one of them can be read as mapped."""
    problems: list[str] = []
    present: list[FileMapping] = []
    for entry in mapping.files:
        path = archive_dir / entry.path
        if path.is_file():
            present.append(entry)
            problems += _column_problems(entry, path)
        elif entry.required:
            problems.append(f"{path}: is required for {entry.dataset} and absent; put it there or correct `path`")
    if problems:
        raise MappingError(problems)
    return present


def _column_problems(entry: FileMapping, path: Path) -> list[str]:
    with connect() as connection:
        try:
            columns = [name for name, *_ in connection.sql(f"DESCRIBE SELECT * FROM {_scan(path)}").fetchall()]
        except duckdb.Error as error:
            return [f"{path}: cannot be read as {path.suffix[1:]} ({_first_line(error)}); replace the file"]
        there = f"the file has {', '.join(columns)}"
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
                connection.sql(f"DESCRIBE SELECT {sql} FROM {_scan(path)}")
            except duckdb.Error as error:
                problems.append(f"{path}: {key} of the mapping does not run ({_first_line(error)}); {there}")
        return problems


@contextmanager
def _staged(entry: FileMapping, path: Path, *, last_day: date | None) -> Iterator[_Staged]:
    with connect() as connection:
        yield _Staged(connection, entry, path, last_day=last_day)


class _Staged:
    """One file on its way: read, typed and judged in DuckDB's memory, then compared and landed.

    Tables: `raw` (the file, with `__row`), `staged` (typed columns, `__row`, `__reason`, `__order_n`), `good` (what may
    land, one row per key), `news` (what will).
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, entry: FileMapping, path: Path, *, last_day: date | None
    ) -> None:
        self._sql = connection
        self._entry = entry
        self._dataset: Dataset = entry.target
        self._key = ", ".join(self._dataset.key)
        # A row without a readable day is refused anyway, so it counts as known.
        is_bounded = last_day is not None and self._dataset.is_dated
        self._known = f"coalesce(market_date <= {quote_value(last_day)}, true)" if is_bounded and last_day else "true"
        self._landed = self._corrections = 0
        self._unchanged = 0
        self._read(path)
        self._judge()
        self._deduplicate()
        self._sql.execute("CREATE TEMP TABLE news AS SELECT *, false AS __is_correction FROM good WHERE false")

    def _read(self, path: Path) -> None:
        if path.suffix == ".parquet":
            columns = f"* RENAME (file_row_number AS __row) FROM {_scan(path, numbered=True)}"
            self._sql.execute(f"CREATE TEMP VIEW raw AS SELECT {columns}")
        else:
            self._sql.execute(f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS __row FROM {_scan(path)}")

    def _judge(self) -> None:
        """Type the columns, and note for every row the first reason to refuse it."""
        transforms = self._entry.transforms()
        expressions = {name: each.to_sql() if each else "NULL" for name, each in transforms.items()}
        listed = ", ".join(f"{sql} AS {name}" for name, sql in expressions.items())
        types = {name: kind for name, kind, *_ in self._sql.sql(f"DESCRIBE SELECT {listed} FROM raw").fetchall()}
        typed, unreadable = [], []
        for name, dtype in self._dataset.columns.items():
            wanted, given = sql_type(dtype), expressions[name]
            value = given if types[name] == wanted else f"TRY_CAST({given} AS {wanted})"
            finite = f"CASE WHEN isfinite({value}) THEN {value} END" if wanted == "DOUBLE" else value
            typed.append(f"{finite} AS {name}")
            if types[name] == "VARCHAR" != wanted:
                said = quote_value(f"{name} is text that does not read as {wanted}")
                unreadable.append(f"WHEN {given} IS NOT NULL AND {value} IS NULL THEN {said}")
        unread = f"CASE {' '.join(unreadable)} END" if unreadable else "NULL::VARCHAR"
        orders = "".join(f", {each.to_sql()} AS __order_{number}" for number, each in enumerate(self._entry.dedupe))
        readable = (
            f"SELECT {', '.join(typed)}, __row, {unread} AS __unread{orders} FROM raw WHERE {self._entry.condition()}"
        )
        rules = " ".join(f"WHEN {rule.predicate} THEN {quote_value(rule.reason)}" for rule in self._dataset.all_rules)
        reason = f"CASE WHEN __unread IS NOT NULL THEN __unread {rules} END"
        self._sql.execute(f"CREATE TEMP TABLE staged AS SELECT *, {reason} AS __reason FROM ({readable})")

    def _deduplicate(self) -> None:
        """Leave one row per key: the preferred one; where equally preferred rows disagree, none."""
        judged = f"SELECT * FROM staged WHERE __reason IS NULL AND {self._known}"
        repeated = f"SELECT {self._key} FROM ({judged}) GROUP BY ALL HAVING count(*) > 1"
        self._sql.execute(f"CREATE TEMP TABLE repeated AS {repeated}")
        order = ", ".join(
            f"__order_{number} {'DESC' if each.prefer == 'greatest' else 'ASC'} NULLS LAST"
            for number, each in enumerate(self._entry.dedupe)
        )
        ranked = (
            f"SELECT *, {f'rank() OVER (PARTITION BY {self._key} ORDER BY {order})' if order else '1'} AS __rank "
            f"FROM ({judged}) SEMI JOIN repeated USING ({self._key})"
        )
        tied = f"PARTITION BY {self._key}, __rank"
        self._sql.execute(
            f"CREATE TEMP TABLE losers AS SELECT __row, __disagrees FROM (SELECT __row, __rank, "
            f"min(__hash) OVER ({tied}) <> max(__hash) OVER ({tied}) AND __rank = 1 AS __disagrees, "
            f"row_number() OVER ({tied} ORDER BY __row) AS __number "
            f"FROM (SELECT *, {self._hash()} AS __hash FROM ({ranked}))) "
            f"WHERE __rank > 1 OR __number > 1 OR __disagrees"
        )
        columns = ", ".join(self._dataset.columns)
        self._sql.execute(f"CREATE TEMP TABLE good AS SELECT {columns} FROM ({judged}) ANTI JOIN losers USING (__row)")

    def compare(self, store: LandingStore) -> None:
        """Find what is news to the store."""
        files = store.files(self._dataset)
        if not files:
            self._sql.execute("CREATE OR REPLACE TEMP TABLE news AS SELECT *, false AS __is_correction FROM good")
            return
        archived = f"arg_max({self._hash()}, load_id) FILTER (WHERE data_source = '{DATA_SOURCE}')"
        known = f"SELECT {self._key}, true AS __has_landed, {archived} AS __archived FROM {read_parquet_sql(files)}"
        self._sql.execute(
            "CREATE OR REPLACE TEMP TABLE news AS "
            "SELECT * EXCLUDE (__has_landed, __archived), __has_landed IS NOT NULL AS __is_correction "
            f"FROM good LEFT JOIN ({known} GROUP BY {self._key}) USING ({self._key}) "
            f"WHERE __has_landed IS NULL OR (__archived IS NOT NULL AND __archived <> {self._hash()})"
        )

    def land(self, store: LandingStore, *, loaded_at: datetime, lag_hours: float) -> None:
        """Write the news, one file a calendar year."""
        dataset = self._dataset
        partition = "year(market_date)::VARCHAR" if dataset.is_dated else quote_value(UNDATED)
        available = "NULL::TIMESTAMPTZ"
        if dataset.is_dated:
            seconds = 86_400 + lag_hours * 3_600
            available = f"(market_date::TIMESTAMP + to_seconds({seconds!r})) AT TIME ZONE 'UTC'"
        counts = self._sql.sql(
            f"SELECT {partition} AS __partition, count(*) FROM news GROUP BY 1 ORDER BY 1"
        ).fetchall()
        for name, _ in counts:
            load_id = store.new_load_id(loaded_at)
            common = (
                f"{quote_value(dataset.source)} AS source, {quote_value(DATA_SOURCE)} AS data_source, "
                f"{available} AS available_at, {_instant(loaded_at)} AS loaded_at, {quote_value(load_id)} AS load_id"
            )
            wanted = f"news WHERE {partition} = {quote_value(name)} ORDER BY {self._key}"
            rows = f"SELECT {', '.join(dataset.columns)}, {common} FROM {wanted}"
            with store.new_file("landing", dataset, partition=name, load_id=load_id) as (temporary, _path):
                self._copy(rows, temporary)
        self._landed = sum(count for _, count in counts)
        self._corrections = self._count("news WHERE __is_correction")
        self._unchanged = self._count("good") - self._landed

    def quarantine(self, store: LandingStore, *, loaded_at: datetime, partition: str) -> None:
        """Keep the refused rows as they stand in the file, those that earlier imports have not kept."""
        load_id = store.new_load_id(loaded_at)
        dataset = self._dataset
        common = {"source": dataset.source, "dataset": dataset.name, "data_source": DATA_SOURCE, "load_id": load_id}
        values = {name: quote_value(value) for name, value in common.items()}
        values |= {"reason": "__reason", "payload": self._payload(), "loaded_at": _instant(loaded_at)}
        listed = ", ".join(f"{values[name]} AS {name}" for name in QUARANTINE_COLUMNS)
        refused = f"SELECT {listed} FROM ({self._refused()}) JOIN raw USING (__row)"
        kept = store.files(dataset, area="quarantine")
        if kept:
            refused = f"SELECT * FROM ({refused}) ANTI JOIN {read_parquet_sql(kept)} USING (reason, payload)"
        self._sql.execute(f"CREATE TEMP TABLE refused AS {refused}")
        if self._count("refused"):
            with store.new_file("quarantine", dataset, partition=partition, load_id=load_id) as (temporary, _path):
                self._copy("SELECT * FROM refused ORDER BY reason, payload", temporary)

    def result(self) -> ImportResult:
        """Count what became of the rows."""
        reasons = dict(
            self._sql.sql(f"SELECT __reason, count(*) FROM ({self._refused()}) GROUP BY 1 ORDER BY 1").fetchall()
        )
        read, staged = self._count("raw"), self._count("staged")
        return ImportResult(
            file=self._entry.path,
            dataset=self._entry.dataset,
            read=read,
            filtered=read - staged,
            after_as_of=staged - self._count(f"staged WHERE {self._known}"),
            quarantined=sum(reasons.values()),
            duplicates=self._count("losers WHERE NOT __disagrees"),
            unchanged=self._unchanged,
            landed=self._landed,
            corrections=self._corrections,
            reasons=reasons,
        )

    def would_land(self) -> ImportResult:
        """Count as `result` does, with every row that may land counted as landed."""
        return replace(self.result(), landed=self._count("good"))

    def _payload(self) -> str:
        """The row of the file as JSON text; JSON has no NaN and infinity, so those become text."""
        fields = []
        for name, kind, *_ in self._sql.sql("DESCRIBE SELECT * EXCLUDE (__row) FROM raw").fetchall():
            column = f"raw.{quote_name(name)}"
            is_float = kind in ("DOUBLE", "FLOAT")
            shown = f"CASE WHEN isfinite({column}) THEN to_json({column}) ELSE to_json({column}::VARCHAR) END"
            fields.append(f"{quote_value(name)}, {shown if is_float else column}")
        return f"json_object({', '.join(fields)})::VARCHAR"

    def _refused(self) -> str:
        return (
            f"SELECT __row, __reason FROM staged WHERE __reason IS NOT NULL AND {self._known} "
            f"UNION ALL SELECT __row, {quote_value(DISAGREEING)} FROM losers WHERE __disagrees"
        )

    def _hash(self) -> str:
        return f"hash({', '.join(self._dataset.values) or self._key})"

    def _count(self, table: str) -> int:
        row = self._sql.sql(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def _copy(self, rows: str, path: Path) -> None:
        self._sql.execute(f"COPY ({rows}) TO {quote_value(str(path))} (FORMAT parquet, COMPRESSION {COMPRESSION})")


def _last_known_day(as_of: datetime, lag_hours: float) -> date:
    """The newest market date whose facts had been known at `as_of`."""
    return (as_of.astimezone(UTC) - timedelta(days=1, hours=lag_hours)).date()


def _scan(path: Path, *, numbered: bool = False) -> str:
    name = quote_value(str(path))
    if path.suffix == ".csv":  # all as text: a guessed type would turn 007 into 7, or fail at row 20,481
        return f"read_csv({name}, header = true, all_varchar = true)"
    return f"read_parquet({name}, file_row_number = {str(numbered).lower()})"


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.astimezone(UTC).isoformat()}'"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
