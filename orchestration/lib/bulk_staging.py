"""One file of a bulk import on its way into the landing store: read, typed, judged, compared, landed.

Belongs here: the SQL of these steps, from the file to the landed Parquet, and the counts of what became of its rows.
Does not: which files there are and whether they can be read as mapped (`bulk_import.py`), the mapping (`import_mapping.py`).

File and landed rows are both reduced to one number a day: the sum of the hashes of their rows. Days whose count and sum
agree are settled; only the others are joined key by key. So an import without news costs a scan of both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import duckdb

from orchestration.lib.import_mapping import FILE, FileMapping, quote_name, quote_value, sql_type
from orchestration.lib.landing import COMPRESSION, UNDATED, LandingStore, read_parquet_sql
from orchestration.lib.landing_rows import landed_sql
from orchestration.sources.datasets import QUARANTINE_COLUMNS, Dataset

DATA_SOURCE: Final = "archive"
UNSETTLED_DAYS: Final = "SELECT __day FROM days WHERE NOT __is_settled"
DISAGREEING: Final = "rows of one key disagree and no dedupe rule decides"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one file. All counts are rows, and they add up:

    `read = filtered + after_as_of + quarantined + duplicates + unchanged + landed`.

    Attributes:
        file: Path within the archive.
        dataset: `source/name` it became.
        read: Rows in the file, or of its `from_sql`.
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


class StagedFile:
    """One file on its way: read, typed and judged by DuckDB, compared with what has landed, then landed.

    Tables and views: `raw` (the file, with `__row`), `staged` (typed columns, `__row`, `__reason`, `__order_n`), `days`
    (counts a day, and whether it is settled), `unsettled` (rows of the other days that may land), `malformed` (those
    that may not), `losers` (of several rows of a key), `good` (one row per key), `news` (what will land).
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        entry: FileMapping,
        archive_dir: Path,
        *,
        last_day: date | None,
        landed: list[Path],
    ) -> None:
        self._sql = connection
        self._entry = entry
        self._dataset: Dataset = entry.target
        self._files = landed
        self._landed = landed_sql(self._dataset, landed)
        self._key = ", ".join(self._dataset.key)
        # A reference table is one day to the comparison.
        self._day = "market_date" if self._dataset.is_dated else "DATE '1970-01-01'"
        # A row without a readable day is refused anyway, so it counts as known.
        is_bounded = last_day is not None and self._dataset.is_dated
        self._known = f"coalesce(market_date <= {quote_value(last_day)}, true)" if is_bounded and last_day else "true"
        self._read(archive_dir)
        self._judge()
        self._settle()
        self._deduplicate()
        self._compare()

    def _read(self, archive_dir: Path) -> None:
        path = archive_dir / self._entry.path
        if self._entry.from_sql is None and path.suffix == ".parquet":
            columns = f"* RENAME (file_row_number AS __row) FROM {scan(path, numbered=True)}"
            self._sql.execute(f"CREATE TEMP VIEW raw AS SELECT {columns}")
        else:
            rows = rows_sql(self._entry, archive_dir)
            self._sql.execute(f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS __row FROM ({rows})")

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
        self._sql.execute(f"CREATE TEMP VIEW staged AS SELECT *, {reason} AS __reason FROM ({readable})")

    def _settle(self) -> None:
        """Set the days aside of which exactly the rows of the file have landed: nothing about them is news."""
        judged = f"__reason IS NULL AND {self._known}"
        hashes = f"sum({self._hash(whole=True)})"
        # In a first import there is nothing to compare with, so no row has to be judged and hashed for it.
        here = (
            f"count(*) FILTER ({judged}), {hashes} FILTER ({judged})" if self._files else "NULL::BIGINT, NULL::HUGEINT"
        )
        staged = f"SELECT {self._day}, count(*), count(*) FILTER ({self._known}), {here} FROM staged GROUP BY 1"
        landed = f"SELECT {self._day}, count(*), {hashes} FROM {self._landed} GROUP BY 1"
        self._sql.execute(
            "CREATE TEMP TABLE days AS SELECT __day, __staged, __known, here.__rows AS __judged, "
            "coalesce(here.__rows = landed.__rows AND here.__sum = landed.__sum, false) AS __is_settled "
            f"FROM ({staged}) AS here (__day, __staged, __known, __rows, __sum) "
            f"LEFT JOIN ({landed}) AS landed (__day, __rows, __sum) USING (__day)"
        )
        orders = "".join(f", __order_{number}" for number, _ in enumerate(self._entry.dedupe))
        self._sql.execute(
            f"CREATE TEMP TABLE unsettled AS SELECT {', '.join(self._dataset.columns)}, __row{orders} FROM staged "
            f"WHERE {judged} AND {self._day} IN ({UNSETTLED_DAYS})"
        )
        refused = f"SELECT __row, __reason FROM staged WHERE __reason IS NOT NULL AND {self._known}"
        self._sql.execute(f"CREATE TEMP TABLE malformed AS {refused}")

    def _deduplicate(self) -> None:
        """Leave one row per key: the preferred one; where equally preferred rows disagree, none."""
        repeated = f"SELECT {self._key} FROM unsettled GROUP BY ALL HAVING count(*) > 1"
        self._sql.execute(f"CREATE TEMP TABLE repeated AS {repeated}")
        order = ", ".join(
            f"__order_{number} {'DESC' if each.prefer == 'greatest' else 'ASC'} NULLS LAST"
            for number, each in enumerate(self._entry.dedupe)
        )
        ranked = (
            f"SELECT *, {f'rank() OVER (PARTITION BY {self._key} ORDER BY {order})' if order else '1'} AS __rank "
            f"FROM unsettled SEMI JOIN repeated USING ({self._key})"
        )
        tied = f"PARTITION BY {self._key}, __rank"
        self._sql.execute(
            f"CREATE TEMP TABLE losers AS SELECT __row, __disagrees FROM (SELECT __row, __rank, "
            f"min(__hash) OVER ({tied}) <> max(__hash) OVER ({tied}) AND __rank = 1 AS __disagrees, "
            f"row_number() OVER ({tied} ORDER BY __row) AS __number "
            f"FROM (SELECT *, {self._hash()} AS __hash FROM ({ranked}))) "
            f"WHERE __rank > 1 OR __number > 1 OR __disagrees"
        )
        kept = "unsettled ANTI JOIN losers USING (__row)" if self._count("losers") else "unsettled"
        self._sql.execute(f"CREATE TEMP VIEW good AS SELECT {', '.join(self._dataset.columns)} FROM {kept}")

    def _compare(self) -> None:
        """Find what is news to the store."""
        if not (self._files and self._count("unsettled")):
            self._sql.execute("CREATE TEMP VIEW news AS SELECT *, false AS __is_correction FROM good")
            return
        archived = f"arg_max({self._hash()}, load_id) FILTER (WHERE data_source = '{DATA_SOURCE}')"
        known = (
            f"SELECT {self._key}, true AS __has_landed, {archived} AS __archived FROM {self._landed} "
            f"WHERE {self._day} IN ({UNSETTLED_DAYS}) GROUP BY {self._key}"
        )
        self._sql.execute(
            "CREATE TEMP TABLE news AS "
            "SELECT * EXCLUDE (__has_landed, __archived), __has_landed IS NOT NULL AS __is_correction "
            f"FROM good LEFT JOIN ({known}) USING ({self._key}) "
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
        staged, known, settled = self._sum("__staged"), self._sum("__known"), self._sum("__judged", "__is_settled")
        read, landed = self._count("raw"), self._count("news")
        return ImportResult(
            file=self._entry.path,
            dataset=self._entry.dataset,
            read=read,
            filtered=read - staged,
            after_as_of=staged - known,
            quarantined=sum(reasons.values()),
            duplicates=self._count("losers WHERE NOT __disagrees"),
            unchanged=settled + self._count("good") - landed,
            landed=landed,
            corrections=self._count("news WHERE __is_correction"),
            reasons=reasons,
        )

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
        disagreeing = f"SELECT __row, {quote_value(DISAGREEING)} FROM losers WHERE __disagrees"
        return f"SELECT __row, __reason FROM malformed UNION ALL {disagreeing}"

    def _hash(self, *, whole: bool = False) -> str:
        """Hash of a row's values, or of the whole row."""
        return f"hash({', '.join(self._dataset.columns if whole else self._dataset.values) or self._key})"

    def _sum(self, column: str, condition: str = "true") -> int:
        row = self._sql.sql(f"SELECT coalesce(sum({column}), 0) FROM days WHERE {condition}").fetchone()
        return int(row[0]) if row else 0

    def _count(self, table: str) -> int:
        row = self._sql.sql(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def _copy(self, rows: str, path: Path) -> None:
        self._sql.execute(f"COPY ({rows}) TO {quote_value(str(path))} (FORMAT parquet, COMPRESSION {COMPRESSION})")


def rows_sql(entry: FileMapping, archive_dir: Path) -> str:
    """The query of an entry's rows: the file as it is, or what `from_sql` makes of it and the files beside it."""
    if entry.from_sql is None:
        return f"SELECT * FROM {scan(archive_dir / entry.path)}"
    files = {FILE: entry.path, **entry.beside}
    named = ", ".join(
        f"{quote_name(name)} AS (SELECT * FROM {scan(archive_dir / path)})" for name, path in files.items()
    )
    return f"WITH {named} SELECT * FROM ({entry.from_sql})"


def scan(path: Path, *, numbered: bool = False) -> str:
    """A file as a table expression; of Parquet with the column `file_row_number`, where asked for."""
    name = quote_value(str(path))
    if path.suffix == ".csv":  # all as text: a guessed type would turn 007 into 7, or fail at row 20,481
        return f"read_csv({name}, header = true, all_varchar = true)"
    return f"read_parquet({name}, file_row_number = {str(numbered).lower()})"


def _instant(moment: datetime) -> str:
    return f"TIMESTAMPTZ '{moment.astimezone(UTC).isoformat()}'"
