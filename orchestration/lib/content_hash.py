r"""Content hashes: one sha256 for the rows of one unit, equal wherever and whenever they are computed.

A unit's rows are sorted by key (bytewise) and written as text, a row a line, columns in declared order with a unit
separator
between: floats at 12 significant digits by Python's correctly rounded `%.11e`, -0 as 0, null as `\N`, which no string
can look like because backslashes are escaped. The hash of a unit without rows is that of the empty text.

Belongs here: turning typed frames into text and hashes. Does not: reading or writing tables (`versions.py`,
`ledger.py`).
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl

from orchestration.lib.versioned_tables import IDENTIFIER_TYPES, VersionedTable

UTC_MICROSECONDS = pl.Datetime("us", "UTC")

POLARS_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DOUBLE": pl.Float64(),
    "BOOLEAN": pl.Boolean(),
    "TINYINT": pl.Int8(),
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "DATE": pl.Date(),
    "TIMESTAMPTZ": UTC_MICROSECONDS,
}
"""Polars type of each DuckDB type that versioned tables and the ledger use."""

_NULL = r"\N"
_SEPARATOR = "\x1f"


def unit_texts(units: pl.DataFrame) -> pl.Series:
    """JSON text of each unit, its columns in declared order: the identity of a unit in the ledger.

    Args:
        units: One row per unit, unit columns only, no nulls.
    """
    return pl.Series("unit", [json.dumps(_as_json(row)) for row in units.iter_rows(named=True)], dtype=pl.String)


def _as_json(row: dict[str, object]) -> dict[str, object]:
    return {name: _instant(value) if isinstance(value, datetime) else str(value) for name, value in row.items()}


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def unit_from_text(text: str) -> dict[str, object]:
    """Values of the unit columns behind a JSON text of `unit_texts`, typed for polars."""
    return {
        name: datetime.fromisoformat(value) if IDENTIFIER_TYPES[name] == "TIMESTAMPTZ" else value
        for name, value in json.loads(text).items()
    }


def hash_units(rows: pl.DataFrame, table: VersionedTable, *, by: Iterable[str]) -> pl.DataFrame:
    """Hash the rows of every unit.

    Args:
        rows: Typed rows with the columns `by` and all key and value columns of `table`; order does not matter.
        table: Whose columns are hashed.
        by: Columns that tell one hashed group from another, e.g. the unit's text and its version.

    Returns:
        One row per group with rows: `by`, content_hash, row_count.
    """
    groups = list(by)
    texts = rows.select(*groups, *table.key_columns, row_text(rows, table.hashed_columns).alias("row_text"))
    joined = (
        texts.sort(*table.key_columns)
        .group_by(groups, maintain_order=True)
        .agg(pl.col("row_text").str.join("\n"), pl.len().cast(pl.Int64).alias("row_count"))
    )
    hashes = [hash_text(text) for text in joined["row_text"]]
    return joined.select(*groups, pl.Series("content_hash", hashes, dtype=pl.String), "row_count")


def hash_text(text: str) -> str:
    """Hexadecimal sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


HASH_OF_NO_ROWS = hash_text("")


def row_text(rows: pl.DataFrame, columns: Iterable[str]) -> pl.Series:
    """One unambiguous line of text per row.

    Args:
        rows: Typed rows.
        columns: Columns to write, in this order.
    """
    fields = [_column_text(rows[column]).fill_null(_NULL).alias(str(place)) for place, column in enumerate(columns)]
    return pl.DataFrame(fields).select(pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series()


def _column_text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Float64:
        # Adding zero turns -0 into 0, in Python: polars drops the addition. Nor is polars' rounding to significant
        # digits used: it goes through a product and may miss by one digit.
        texts = [None if value is None else f"{value + 0.0:.11e}" for value in values.to_list()]
        return pl.Series(texts, dtype=pl.String)
    if values.dtype == pl.String:
        escaped = values.str.replace_all("\\", "\\\\", literal=True)
        return escaped.str.replace_all("\n", "\\n", literal=True).str.replace_all(_SEPARATOR, "\\u", literal=True)
    if values.dtype == UTC_MICROSECONDS:
        return values.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    return values.cast(pl.String)
