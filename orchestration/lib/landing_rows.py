"""What a frame must be to land: columns, types, keys, where it may go, and when its facts were known.

Belongs here: checks and columns of one frame on its way in. Does not: rules about values (`orchestration/sources`), files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from orchestration.lib.import_mapping import sql_type
from orchestration.lib.landing_files import PARTITION, UNDATED, LandingError, read_parquet_sql
from orchestration.sources.datasets import DATA_SOURCES, INSTANT, QUARANTINE_COLUMNS, Dataset, Dtype
from orchestration.sources.validation import Rejected


def require_zone(moment: datetime, *, name: str) -> None:
    """Refuse an instant without a time zone, which Python would read in the machine's own.

    Raises:
        LandingError: It has none.
    """
    if moment.tzinfo is None:
        raise LandingError(f"{name} {moment.isoformat()} has no time zone; pass UTC")


def check_destination(*, data_source: str, partition: str, loaded_at: datetime) -> None:
    """Refuse a data source, partition or time that the layout does not know.

    Raises:
        LandingError: One is malformed.
    """
    if data_source not in DATA_SOURCES:
        raise LandingError(f"data source {data_source!r} is none of {', '.join(DATA_SOURCES)}")
    if not PARTITION.fullmatch(partition):
        raise LandingError(f"partition {partition!r} is no YYYY-MM-DD, YYYY or {UNDATED}")
    require_zone(loaded_at, name="loaded_at")


def typed_rows(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """The dataset's own columns in order and type; NaN becomes null.

    Raises:
        LandingError: A column is missing or does not fit its type, a required value is null, or a key occurs twice.
    """
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


def with_common_columns(
    dataset: Dataset,
    rows: pl.DataFrame,
    *,
    data_source: str,
    partition: str,
    loaded_at: datetime,
    lag_hours: float,
    load_id: str,
) -> pl.DataFrame:
    """The rows as their file will have them.

    Raises:
        LandingError: An undated dataset has a calendar year as its partition.
    """
    return rows.with_columns(
        pl.lit(dataset.source).alias("source"),
        pl.lit(data_source).alias("data_source"),
        _available_at(dataset, partition=partition, lag_hours=lag_hours).alias("available_at"),
        pl.lit(loaded_at.astimezone(UTC), dtype=INSTANT).alias("loaded_at"),
        pl.lit(load_id).alias("load_id"),
    ).select(list(dataset.landed_columns))


def quarantine_frame(
    dataset: Dataset, records: Sequence[Rejected], *, data_source: str, loaded_at: datetime, load_id: str
) -> pl.DataFrame:
    """Refused records as their file will have them, one row a record."""
    return (
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


def landed_sql(dataset: Dataset, files: Iterable[Path]) -> str:
    """The landed rows of some files as a table expression.

    Columns that the dataset gained since a file was written are null there, and without files there are no rows.
    """
    return typed_sql(dataset.landed_columns, files)


def typed_sql(columns: Mapping[str, Dtype], files: Iterable[Path], *, filename: bool = False) -> str:
    """Files as a table expression that has at least the given columns."""
    named = {**columns, "filename": pl.String} if filename else columns
    typed = ", ".join(f'NULL::{sql_type(dtype)} AS "{name}"' for name, dtype in named.items())
    listed = list(files)
    rows = f" UNION ALL BY NAME SELECT * FROM {read_parquet_sql(listed, filename=filename)}" if listed else ""
    return f"(SELECT {typed} WHERE false{rows})"


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
