"""Checks between a parsed answer and a frame that may land, shared by all adapters.

Belongs here: reading numbers and instants safely, applying a dataset's rules, collapsing duplicates.
Does not: the rules themselves (`datasets.py`), wire formats (the provider's module).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from orchestration.sources.datasets import Dataset

CLOCK_SKEW = timedelta(minutes=5)
"""How far a provider's clock may run ahead of ours before a timestamp counts as future."""


class UnreadableValueError(ValueError):
    """A field of a record cannot be what it should be; the message is the reason for quarantine."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that must not land: why, and the record as JSON text."""

    reason: str
    payload: str

    @classmethod
    def of(cls, reason: str, record: object) -> Rejected:
        """Keep any record, whatever its type, as JSON text."""
        return cls(reason, json.dumps(record, default=str, ensure_ascii=False, sort_keys=True))


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one request gave: rows in the dataset's columns, and the records refused on the way."""

    dataset: Dataset
    frame: pl.DataFrame
    rejected: tuple[Rejected, ...] = field(default=())

    @classmethod
    def join(cls, dataset: Dataset, parts: Iterable[Fetched]) -> Fetched:
        """Put the answers of several requests for one dataset together.

        Of a key in several answers the first counts: between two pages a coin may change rank and price.
        """
        gathered = list(parts)
        frame = pl.concat([part.frame for part in gathered]) if gathered else dataset.empty()
        unique = frame.unique(dataset.key, keep="first", maintain_order=True)
        return cls(dataset, unique, tuple(item for part in gathered for item in part.rejected))


def read_number(value: object, *, column: str, text_allowed: bool = False) -> float | None:
    """Read a number as the provider sent it.

    Args:
        value: The raw field. None, and the text "null" that some recorded answers hold, mean missing.
        column: Name for the message.
        text_allowed: Whether this provider sends numbers as text.

    Raises:
        UnreadableValueError: It is text where a number belongs, NaN, infinite, or another type.
    """
    if value is None or value == "null":
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise UnreadableValueError(f"{column} is a {type(value).__name__}, not a number")
    if isinstance(value, str) and not text_allowed:
        raise UnreadableValueError(f"{column} is text, not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise UnreadableValueError(f"{column} is text that reads as no number") from None
    if not math.isfinite(number):
        raise UnreadableValueError(f"{column} is not finite")
    return number


def read_positive(value: object, *, column: str, text_allowed: bool = False) -> float | None:
    """Read a number for which the provider's 0 means unknown (market caps, supplies): 0 becomes None."""
    number = read_number(value, column=column, text_allowed=text_allowed)
    return None if number == 0 else number


def read_text(value: object) -> str | None:
    """Read a name; None, blank and the text "null" mean missing."""
    if not isinstance(value, str) or value.strip() in ("", "null"):
        return None
    return value.strip()


def read_instant(value: object, *, column: str) -> datetime:
    """Read an ISO-8601 instant, with up to nine digits of a second (the last three are cut) and `Z` or an offset.

    Raises:
        UnreadableValueError: It is no such text, or names no time zone.
    """
    if not isinstance(value, str):
        raise UnreadableValueError(f"{column} is no timestamp")
    try:
        instant = datetime.fromisoformat(value)  # 3.11 reads Z and cuts digits beyond six itself
    except ValueError:
        raise UnreadableValueError(f"{column} is no ISO-8601 timestamp") from None
    if instant.tzinfo is None:
        raise UnreadableValueError(f"{column} has no time zone")
    return instant.astimezone(UTC)


def read_unix(value: object, *, column: str, per_second: int = 1, text_allowed: bool = False) -> datetime:
    """Read a unix time in units of 1 / `per_second` second (1000 for milliseconds).

    Raises:
        UnreadableValueError: It is no number or beyond the calendar.
    """
    number = read_number(value, column=column, text_allowed=text_allowed)
    if number is None:
        raise UnreadableValueError(f"{column} is missing")
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=number / per_second)
    except OverflowError:
        raise UnreadableValueError(f"{column} is beyond the calendar") from None


def last_finished_day(now: datetime) -> date:
    """The UTC day whose close has passed at `now`."""
    return (now.astimezone(UTC) - timedelta(days=1)).date()


def refuse_future(instant: datetime, *, now: datetime, column: str) -> None:
    """Refuse an instant that lies ahead of `now` by more than a clock may be off.

    Raises:
        UnreadableValueError: It does.
    """
    if instant > now + CLOCK_SKEW:
        raise UnreadableValueError(f"{column} lies in the future")


def validate(
    dataset: Dataset,
    rows: Sequence[Mapping[str, Any]],
    *,
    now: datetime,
    rejected: Iterable[Rejected] = (),
) -> Fetched:
    """Turn parsed rows into a frame that may land.

    Args:
        dataset: What the rows should be.
        rows: Parsed records, one mapping per row with the dataset's columns (a missing one is null).
        now: Instant of the request: rows of days that had not begun by then are refused.
        rejected: Records that parsing refused already, passed through.

    Returns:
        Rows that break no rule, with agreeing duplicates collapsed, and everything refused.
    """
    columns = dataset.columns
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, schema=columns)
    reason = pl.lit(None, dtype=pl.String)
    for rule in reversed(dataset.all_rules):
        reason = pl.when(pl.sql_expr(rule.predicate).fill_null(value=False)).then(pl.lit(rule.reason)).otherwise(reason)
    if dataset.is_dated:
        is_future = (pl.col("market_date") > now.astimezone(UTC).date()).fill_null(value=False)
        reason = pl.when(is_future).then(pl.lit("market_date lies in the future")).otherwise(reason)
    judged = frame.with_columns(reason.alias("__reason"))
    refused = judged.filter(pl.col("__reason").is_not_null())
    broken = [Rejected.of(row.pop("__reason"), row) for row in refused.iter_rows(named=True)]
    unique, disagreeing = collapse_duplicates(dataset, judged.filter(pl.col("__reason").is_null()).drop("__reason"))
    return Fetched(dataset, unique, (*rejected, *broken, *disagreeing))


def collapse_duplicates(dataset: Dataset, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """Keep one of several equal rows of a key; refuse all rows of a key that disagree, because none is better.

    The order of the first occurrences is kept.
    """
    distinct = frame.unique(maintain_order=True)
    is_ambiguous = pl.len().over(*dataset.key) > 1
    disagreeing = distinct.filter(is_ambiguous)
    return distinct.filter(~is_ambiguous), [
        Rejected.of("rows of one key disagree within one answer", row) for row in disagreeing.iter_rows(named=True)
    ]
