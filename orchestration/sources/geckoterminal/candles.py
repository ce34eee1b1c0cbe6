"""Daily candles of one pool.

Belongs here: their shape. Does not: paging (`client.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.geckoterminal.values import kept_rows
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_unix,
    refuse_future,
    validate,
)

POOL_CANDLES: Final = find_dataset("geckoterminal", "pool_candles")


@dataclass(frozen=True)
class PoolCandles:
    """Candles of one pool as they were read, not held against the rules of `geckoterminal/pool_candles` yet.

    Attributes:
        rows: One mapping a finished day.
        rejected: Candles that could not be read.
    """

    rows: Sequence[Mapping[str, Any]]
    rejected: tuple[Rejected, ...] = field(default=())


def join_candles(parts: Iterable[PoolCandles], *, now: datetime) -> Fetched:
    """Candles of several pools as rows that may land."""
    gathered = list(parts)
    rows = [row for part in gathered for row in part.rows]
    return validate(POOL_CANDLES, rows, now=now, rejected=[item for part in gathered for item in part.rejected])


def read_candles(payload: Any, *, pool_id: str, now: datetime) -> PoolCandles:
    """Read one page of daily candles; the running day is left out.

    Raises:
        UnexpectedBodyError: It holds no list `ohlcv_list`.
    """
    data = payload.get("data") if isinstance(payload, dict) else None
    attributes = data.get("attributes") if isinstance(data, dict) else None
    candles = attributes.get("ohlcv_list") if isinstance(attributes, dict) else None
    if not isinstance(candles, list):
        said = str(payload)[:200]
        raise UnexpectedBodyError(f"geckoterminal: candles of {pool_id} hold no list `ohlcv_list`: {said}")
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for candle in candles:
        try:
            row = _read_candle(candle, pool_id=pool_id, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"pool_id": pool_id, "candle": candle}))
            continue
        if row["market_date"] <= last_finished_day(now):
            rows.append(row)
    return PoolCandles(rows, tuple(rejected))


def _read_candle(candle: Any, *, pool_id: str, now: datetime) -> dict[str, Any]:
    if not isinstance(candle, list) or len(candle) != 6:
        raise UnreadableValueError("candle is no list of 6 values")
    opened_at = read_unix(candle[0], column="open time")
    refuse_future(opened_at, now=now, column="open time")
    if opened_at - datetime(opened_at.year, opened_at.month, opened_at.day, tzinfo=UTC) != timedelta(0):
        raise UnreadableValueError("open time is not 00:00 UTC")
    names = ("open_usd", "high_usd", "low_usd", "close_usd", "volume_usd")
    values = {name: read_number(value, column=name) for name, value in zip(names, candle[1:], strict=True)}
    return {"pool_id": pool_id, "market_date": opened_at.date(), **values}


def oldest_second(payload: Any) -> int | None:
    """Open time of the oldest candle of a page, None where it has none that can be read."""
    found = []
    for candle in payload["data"]["attributes"]["ohlcv_list"]:
        try:
            found.append(int(read_unix(candle[0], column="open time").timestamp()))
        except (UnreadableValueError, TypeError, LookupError):
            continue
    return min(found, default=None)


def read_kept_candle(payload: Any, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read a refused candle again; no row where it is of the running day.

    Raises:
        UnreadableValueError: It still cannot be read.
    """
    if not isinstance(payload, dict):
        raise UnreadableValueError("record is no object")
    answer = {"data": {"attributes": {"ohlcv_list": [payload.get("candle")]}}}
    return kept_rows(join_candles([read_candles(answer, pool_id=str(payload.get("pool_id")), now=now)], now=now))
