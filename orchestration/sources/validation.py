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
from functools import lru_cache
from typing import Any

import polars as pl

from orchestration.sources.datasets import Dataset

COUNT_LIMIT = 2.0**63
"""What a landed whole number must stay below."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far a provider's clock may run ahead of ours before a timestamp counts as future."""

DISAGREEING = "rows of one key disagree within one answer"
"""The reason for quarantine of every such row."""


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
        try:
            return cls(reason, json.dumps(record, default=str, ensure_ascii=False, sort_keys=True))
        except RecursionError:  # deeper than what is read as JSON may be, so hidden from that limit on purpose
            return cls(reason, json.dumps({"unreadable": "nested too deeply to be kept"}))


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


def read_count(value: object, *, column: str, text_allowed: bool = False) -> int | None:
    """Read a whole number, which may come as 12.0; None means missing.

    Raises:
        UnreadableValueError: It is no number, has a fraction, or needs more than 64 bits.
    """
    number = read_number(value, column=column, text_allowed=text_allowed)
    if number is None:
        return None
    if number != int(number) or abs(number) >= COUNT_LIMIT:
        raise UnreadableValueError(
            f"{column} is no whole number" + ("" if abs(number) < COUNT_LIMIT else " of 64 bits")
        )
    return int(number)


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
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise UnreadableValueError(f"{column} is beyond the calendar") from None


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
    return validate_frame(dataset, frame, now=now, rejected=rejected)


def validate_frame(
    dataset: Dataset, frame: pl.DataFrame, *, now: datetime, rejected: Iterable[Rejected] = ()
) -> Fetched:
    """The same for rows that are a frame of the dataset's columns already, as long series are."""
    if _is_clean(dataset, frame, now=now):
        return Fetched(dataset, frame, tuple(rejected))
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
    return distinct.filter(~is_ambiguous), [Rejected.of(DISAGREEING, row) for row in disagreeing.iter_rows(named=True)]


REVERTING_JUMP = "price jumps 10x and reverts the next day"
SAME_LEVEL = 2.0
"""Days around a jump agree when their prices are within this factor."""


def reverting_jumps(
    dataset: Dataset, frame: pl.DataFrame, *, entity: str, price: str, factor: float = 10.0
) -> list[Rejected]:
    """Find single days whose price stands alone: at least `factor` away from the day before and the day after, which agree.

    For quarantine as a finding, never as a filter: the rows stay landed as delivered. That a jump reverts is known only a
    day later, so taking the row out would let every read as of that day know the next one. The warehouse screens bad
    ticks from what was known by then. A crash or a pump that lasts a second day is no finding, nor is a jump beside a
    missing day.

    Args:
        dataset: Dated dataset of the rows.
        frame: Its rows, one per entity and day, in any order.
        entity: Column that tells the price series apart, `coin_id` or `market_id`.
        price: Column of the price.
        factor: Least ratio to both neighbours, up or down, above 1.

    Returns:
        A copy of every such row, by entity and day.
    """
    around = {"before": pl.col(price).shift(1), "after": pl.col(price).shift(-1)}
    distance = {"before": pl.col("market_date").shift(1), "after": pl.col("market_date").shift(-1)}
    day = pl.duration(days=1)
    judged = (
        frame.filter(pl.col(price) > 0)
        .sort(entity, "market_date")
        .with_columns(
            **{f"__{name}": value.over(entity) for name, value in around.items()},
            __is_between=(
                (distance["before"].over(entity) == pl.col("market_date") - day)
                & (distance["after"].over(entity) == pl.col("market_date") + day)
            ),
        )
    )
    before, after, own = pl.col("__before"), pl.col("__after"), pl.col(price)
    agree = pl.max_horizontal(before, after) <= SAME_LEVEL * pl.min_horizontal(before, after)
    stands_out = (own >= factor * pl.max_horizontal(before, after)) | (own * factor <= pl.min_horizontal(before, after))
    columns = [name for name in dataset.columns if name in frame.columns]
    found = judged.filter(pl.col("__is_between") & agree & stands_out).select(columns)
    return [Rejected.of(REVERTING_JUMP, row) for row in found.iter_rows(named=True)]


def _is_clean(dataset: Dataset, frame: pl.DataFrame, *, now: datetime) -> bool:
    """Whether a frame breaks no rule and repeats no key: nearly always so, and found out at a third of the cost."""
    broken = [_predicate(rule.predicate).fill_null(value=False) for rule in dataset.all_rules]
    if dataset.is_dated:
        broken.append((pl.col("market_date") > now.astimezone(UTC).date()).fill_null(value=False))
    is_broken = frame.select(pl.any_horizontal(broken).any()).item()
    return not is_broken and not frame.select(dataset.key).is_duplicated().any()


@lru_cache(maxsize=1024)
def _predicate(sql: str) -> pl.Expr:
    return pl.sql_expr(sql)
