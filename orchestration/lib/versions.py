"""Writing versions: rows of a unit are added when their content is new, and never changed.

    VersionError (ValueError)
    |-- InvalidRowsError     rows that cannot be written as they are; names every problem at once
    |-- ClockError           a version would be recorded before one that exists
    `-- TableLayoutError     the table in the warehouse is not the one in the registry

Belongs here: appending versions, asking for a past state. Does not: the registry (`versioned_tables.py`), creating
tables (`versioned_layout.py`), what is checked of incoming rows (`incoming_rows.py`), hashes (`content_hash.py`), the
ledger's layout (`ledger.py`), publishing (`publishing.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import duckdb
import polars as pl

from orchestration.lib.content_hash import HASH_OF_NO_ROWS, POLARS_TYPES, UTC_MICROSECONDS, hash_units, unit_texts
from orchestration.lib.incoming_rows import InvalidRowsError, VersionError, check_rows, check_units, unit_weeks
from orchestration.lib.lake import take_turn, uncontested
from orchestration.lib.ledger import LEDGER_COLUMNS, LEDGER_SQL_NAME, read_ledger
from orchestration.lib.versioned_layout import TableLayoutError, create_versioned_tables, transaction
from orchestration.lib.versioned_tables import VersionedTable

__all__ = [
    "Appended",
    "ClockError",
    "InvalidRowsError",
    "Provenance",
    "TableLayoutError",
    "VersionError",
    "append_versions",
    "as_recorded",
    "create_versioned_tables",
]

PUBLISHED_WITHIN = timedelta(hours=48)
"""A version recorded this close to its as_of is `published`, any other `backfilled`."""


class ClockError(VersionError):
    """A version would be recorded before one that exists already."""


@dataclass(frozen=True)
class Provenance:
    """Where the versions of one call come from.

    Attributes:
        recorded_at: Instant of recording, with a time zone; the same for all units of the call.
        run_id: Run that records them.
        code_version: Version of the code that computed them.
        inputs_hash: Hash of the inputs they were computed from.
        input_cutoff: Only loads that ended by this instant were read; with a time zone.
        model_version: Model behind the rows, where they have no `model_version` column of their own.
        version_reason: scheduled, backfill, correction, or any text.
    """

    recorded_at: datetime
    run_id: str
    code_version: str
    inputs_hash: str
    input_cutoff: datetime
    model_version: str | None = None
    version_reason: str = "scheduled"

    def __post_init__(self) -> None:
        """Refuse instants without a time zone and empty texts: both could never be told apart from a mistake later."""
        problems = [
            f"{name} {value} has no time zone" for name, value in self._instants().items() if value.tzinfo is None
        ]
        texts = {name: getattr(self, name) for name in ("run_id", "code_version", "inputs_hash", "version_reason")}
        problems += [f"{name} is empty" for name, value in texts.items() if not value]
        if problems:
            raise VersionError(f"provenance: {'; '.join(problems)}; give every instant in UTC and every text")

    def _instants(self) -> dict[str, datetime]:
        return {"recorded_at": self.recorded_at, "input_cutoff": self.input_cutoff}


@dataclass(frozen=True)
class Appended:
    """What one call wrote.

    Attributes:
        table_name: `schema.name`.
        new_units: Units recorded for the first time.
        new_versions: Units that existed and now have a further version.
        unchanged_units: Units whose content equals their current version; nothing was written for them.
        rows: Rows written.
        units: JSON texts of the units written, first those of `new_units`.
    """

    table_name: str
    new_units: int
    new_versions: int
    unchanged_units: int
    rows: int
    units: tuple[str, ...]

    @classmethod
    def nothing(cls, table: VersionedTable) -> Self:
        """What a call without units wrote."""
        return cls(table.full_name, new_units=0, new_versions=0, unchanged_units=0, rows=0, units=())

    def as_metadata(self) -> dict[str, int]:
        """Counts for the metadata of a materialisation."""
        return {
            "new_units": self.new_units,
            "new_versions": self.new_versions,
            "unchanged_units": self.unchanged_units,
            "rows_written": self.rows,
        }


def append_versions(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    rows: pl.DataFrame,
    *,
    provenance: Provenance,
    units: pl.DataFrame,
) -> Appended:
    """Record a new version of every unit whose content differs from its current version; write nothing for the others.

    All of it is one transaction: after a failure, or a kill, nothing of the call is there.

    Args:
        connection: On the warehouse, open for writing, outside a transaction; the tables exist.
        table: Which versioned table.
        rows: Unit, key and value columns of the table in any order, and optionally `model_version`; units in full.
        provenance: Where they come from.
        units: The units this call is about, one a row; those without rows are recorded as empty. Its columns are the
            unit columns, and optionally `as_of_week` where that is not one of them (the week of an empty rebalance; by
            default the first Monday at or after `effective_at`).

    Returns:
        Counts, and the units written.

    Raises:
        InvalidRowsError: Columns unknown, missing or of another type, nulls or duplicates in keys, values that are not
            finite, weeks that are not Mondays, rows of units that are not in `units`. Nothing has been written.
        ClockError: `recorded_at` is before the newest version of the table.
    """
    expected = check_units(units, table)
    checked = check_rows(rows, table, units=expected, default_model_version=provenance.model_version)
    expected = expected.with_columns(unit_texts(expected.select(table.unit_columns)))
    checked = checked.join(expected.select(*table.unit_columns, "unit"), on=list(table.unit_columns), how="left")

    computed = _describe_units(checked, expected, table)

    def append() -> Appended:
        with transaction(connection):
            return _append(connection, table, checked, computed, provenance)

    return uncontested(connection, append)


def _append(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    checked: pl.DataFrame,
    computed: pl.DataFrame,
    provenance: Provenance,
) -> Appended:
    """Compare units with what is recorded, and write those that differ."""
    current = read_ledger(connection, table.full_name, only_current=True).select(
        "unit", current_version="version", current_hash="content_hash"
    )
    compared = computed.join(current, on="unit", how="left").sort("unit")
    changed = compared.filter(~pl.col("content_hash").eq_missing(pl.col("current_hash")))
    new_units, new_versions = (
        changed.filter(pl.col("current_version").is_null()),
        changed.filter(pl.col("current_version").is_not_null()),
    )
    written = 0
    if not changed.is_empty():
        take_turn(connection)
        _check_clock(connection, table, provenance)
        stamped = _stamp(changed, provenance)
        written = _write(connection, table, checked=checked, stamped=stamped, recorded_at=provenance.recorded_at)
    return Appended(
        table_name=table.full_name,
        new_units=new_units.height,
        new_versions=new_versions.height,
        unchanged_units=compared.height - changed.height,
        rows=written,
        units=(*new_units["unit"], *new_versions["unit"]),
    )


def as_recorded(connection: duckdb.DuckDBPyConnection, table: VersionedTable, at: datetime) -> pl.DataFrame:
    """Rows of a table as they were at an instant: of each unit the version that was current then.

    In SQL: `recorded_at <= at and (superseded_at is null or superseded_at > at)`.

    Args:
        connection: On the warehouse or on a published copy.
        table: Which versioned table.
        at: Instant with a time zone.

    Returns:
        All columns of the table, sorted by unit and key, instants in UTC.
    """
    if at.tzinfo is None:
        raise VersionError(f"{table.full_name}: at {at} has no time zone; ask for an instant in UTC")
    predicate = "recorded_at <= ? and (superseded_at is null or superseded_at > ?)"
    return read_rows(connection, table, where=predicate, parameters=[at, at]).sort(
        *table.unit_columns, *table.key_columns
    )


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    *,
    where: str = "true",
    parameters: Sequence[object] = (),
) -> pl.DataFrame:
    """Typed rows of all versions of a table that meet a condition, in no particular order.

    Args:
        connection: On the warehouse or on a published copy.
        table: Which versioned table.
        where: SQL condition.
        parameters: Values of its placeholders.
    """
    columns = ", ".join(f'"{column}"' for column in table.columns)
    rows = connection.execute(f"select {columns} from {table.sql_name} where {where}", list(parameters)).pl()
    return rows.select(pl.col(column).cast(POLARS_TYPES[kind]) for column, kind in table.columns.items())


def _describe_units(checked: pl.DataFrame, expected: pl.DataFrame, table: VersionedTable) -> pl.DataFrame:
    """One row per expected unit: unit columns, unit, as_of_week, content_hash, row_count, model_version."""
    models = checked.group_by("unit").agg(pl.col("model_version").drop_nulls().unique().sort().str.join(", "))
    models = models.with_columns(pl.col("model_version").replace("", None))
    weeks = unit_weeks(checked, expected, table)
    return (
        expected.select(*table.unit_columns, "unit")
        .join(weeks, on="unit", how="left")
        .join(hash_units(checked, table, by=["unit"]), on="unit", how="left")
        .join(models, on="unit", how="left")
        .with_columns(pl.col("content_hash").fill_null(HASH_OF_NO_ROWS), pl.col("row_count").fill_null(0))
    )


def _check_clock(connection: duckdb.DuckDBPyConnection, table: VersionedTable, provenance: Provenance) -> None:
    ledger = connection.execute(
        f"select max(recorded_at) as newest from {LEDGER_SQL_NAME} where table_name = ?", [table.full_name]
    ).pl()
    newest = ledger["newest"].cast(UTC_MICROSECONDS)[0]
    if newest is not None and provenance.recorded_at < newest:
        raise ClockError(
            f"{table.full_name}: recorded_at {_utc(provenance.recorded_at)} is before the newest recorded version, "
            f"{_utc(newest)}; a version cannot be backdated. Check the clock of this machine."
        )


def _stamp(changed: pl.DataFrame, provenance: Provenance) -> pl.DataFrame:
    """Add the version columns to one row per changed unit."""
    recorded_at = pl.lit(provenance.recorded_at.astimezone(UTC)).cast(UTC_MICROSECONDS)
    as_of = pl.col("as_of_week").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    is_published = (recorded_at - as_of).abs() <= PUBLISHED_WITHIN
    return changed.with_columns(
        (pl.col("current_version").fill_null(0) + 1).cast(pl.Int32).alias("version"),
        recorded_at.alias("recorded_at"),
        pl.lit(None, dtype=UTC_MICROSECONDS).alias("superseded_at"),
        pl.lit(provenance.run_id).alias("run_id"),
        pl.lit(provenance.code_version).alias("code_version"),
        pl.lit(provenance.inputs_hash).alias("inputs_hash"),
        pl.lit(provenance.input_cutoff.astimezone(UTC)).cast(UTC_MICROSECONDS).alias("input_cutoff"),
        pl.when(is_published).then(pl.lit("published")).otherwise(pl.lit("backfilled")).alias("origin"),
        pl.lit(provenance.version_reason).alias("version_reason"),
    )


def _write(
    connection: duckdb.DuckDBPyConnection,
    table: VersionedTable,
    *,
    checked: pl.DataFrame,
    stamped: pl.DataFrame,
    recorded_at: datetime,
) -> int:
    """Supersede what the changed units had, then insert rows and ledger entries."""
    # Of the columns that both have, the rows' own model_version holds; the unit's lists all of them.
    of_unit = stamped.drop("model_version", "row_count", "as_of_week", *table.unit_columns, strict=False)
    new_rows = (
        checked.join(of_unit, on="unit", how="inner").sort("unit", *table.key_columns).select(list(table.columns))
    )
    entries = stamped.with_columns(pl.lit(table.full_name).alias("table_name")).select(list(LEDGER_COLUMNS))
    same_unit = " and ".join(f't."{column}" = c."{column}"' for column in table.unit_columns)
    incoming = {
        "incoming_rows": new_rows,
        "incoming_entries": entries,
        "incoming_units": stamped.select(table.unit_columns),
    }
    with _registered(connection, incoming), transaction(connection):
        connection.execute(
            f"update {table.sql_name} as t set superseded_at = ? from incoming_units as c "
            f"where t.superseded_at is null and {same_unit}",
            [recorded_at],
        )
        connection.execute(
            f"update {LEDGER_SQL_NAME} as t set superseded_at = ? from incoming_entries as c "
            "where t.superseded_at is null and t.table_name = c.table_name and t.unit = c.unit",
            [recorded_at],
        )
        _insert(connection, table.sql_name, "incoming_rows", table.columns)
        _insert(connection, LEDGER_SQL_NAME, "incoming_entries", LEDGER_COLUMNS)
    return new_rows.height


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, frames: Mapping[str, pl.DataFrame]) -> Iterator[None]:
    for name, frame in frames.items():
        connection.register(name, frame.to_arrow())
    try:
        yield
    finally:
        for name in frames:
            connection.unregister(name)


def _insert(connection: duckdb.DuckDBPyConnection, target: str, incoming: str, columns: Iterable[str]) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    connection.execute(f"insert into {target} ({names}) select {names} from {incoming}")


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
