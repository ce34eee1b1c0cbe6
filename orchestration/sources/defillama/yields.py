"""Yields of pools now.

Belongs here: the list of pools. Does not: histories of pools, one request each, which nothing uses.

Trap: rates come in percent per year and land as fractions; a rate that is null is not given, which is not 0.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.wire import Host
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_text,
    validate,
)

YIELDS: Final = find_dataset("defillama", "yields")
SMALLEST_POOL_USD: Final = 1_000_000.0


def fetch_yields(host: Host, *, now: datetime) -> Fetched:
    """Fetch all pools above a million USD, as of the last finished day.

    Raises:
        SourceError: See `errors.py`.
    """
    return parse_yields(host.get_object("/pools", holding="data"), now=now)


def parse_yields(payload: dict[str, Any], *, now: datetime) -> Fetched:
    """Turn the list into rows of `defillama/yields`."""
    records = payload.get("data")
    if payload.get("status") != "success" or not isinstance(records, list):
        raise UnexpectedBodyError(f"defillama: pools came without success and a list `data`: {str(payload)[:200]}")
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            row = _read_pool(record, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            continue
        if row["tvl_usd"] is not None and abs(row["tvl_usd"]) >= SMALLEST_POOL_USD:
            rows.append(row)
    return validate(YIELDS, rows, now=now, rejected=rejected)


def _read_pool(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    is_stablecoin = record.get("stablecoin")
    return {
        "pool_id": read_text(record.get("pool")),
        "project": read_text(record.get("project")),
        "chain": read_text(record.get("chain")),
        "symbol": read_text(record.get("symbol")),
        "market_date": last_finished_day(now),
        "tvl_usd": read_number(record.get("tvlUsd"), column="tvlUsd"),
        "apy_base": _fraction(record, "apyBase"),
        "apy_reward": _fraction(record, "apyReward"),
        "is_stablecoin": is_stablecoin if isinstance(is_stablecoin, bool) else None,
    }


def _fraction(record: dict[str, Any], name: str) -> float | None:
    percent = read_number(record.get(name), column=name)
    return None if percent is None else percent / 100
