"""alternative.me: the Fear & Greed index, one value a day for the whole market.

Belongs here: its request and its shape. Everything arrives as text, unix seconds at 00:00 UTC of the stamped day,
newest first; some days of 2018 are missing. An error comes under 200 in `metadata.error`. Attribution is due.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_count,
    read_text,
    read_unix,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://api.alternative.me"
FEAR_GREED: Final = find_dataset("alternative_me", "fear_greed")


def fetch_fear_greed(http: HttpClient, *, now: datetime, base_url: str = BASE_URL, days: int = 0) -> Fetched:
    """Fetch the index up to the last finished day.

    Args:
        http: Shared client.
        now: Instant of the request; the running day is left out because its period has not ended.
        base_url: Address without `/fng/`.
        days: Newest days to ask for, 0 = all since 2018-02-01.

    Returns:
        Rows of `alternative_me/fear_greed`, oldest first.

    Raises:
        SourceError: See `errors.py`.
    """
    params: Query = {"limit": days, "format": "json"}
    payload = http.get_json(f"{base_url.rstrip('/')}/fng/", params=params, check=refuse_error)
    return parse_fear_greed(payload, now=now)


def refuse_error(payload: Any) -> None:
    """Raise for an answer that is no list of values, or says that it failed.

    Raises:
        UnexpectedBodyError: It does.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        raise UnexpectedBodyError(f"alternative.me: answer holds no list `data`: {str(payload)[:200]}")
    metadata = payload.get("metadata")
    error = metadata.get("error") if isinstance(metadata, dict) else None
    if error:
        raise UnexpectedBodyError(f"alternative.me: answer says it failed: {str(error)[:200]}")


def parse_fear_greed(payload: Any, *, now: datetime) -> Fetched:
    """Turn an answer into rows; days that have not ended at `now` are left out."""
    refuse_error(payload)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in reversed(payload["data"]):
        try:
            row = _read_day(record, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            continue
        if row["market_date"] <= last_finished_day(now):
            rows.append(row)
    return validate(FEAR_GREED, rows, now=now, rejected=rejected)


def _read_day(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    stamped_at = read_unix(record.get("timestamp"), column="timestamp", text_allowed=True)
    refuse_future(stamped_at, now=now, column="timestamp")
    value = read_count(record.get("value"), column="value", text_allowed=True)
    if value is None:
        raise UnreadableValueError("value is no whole number")
    return {
        "market_date": stamped_at.date(),
        "value": value,
        "classification": read_text(record.get("value_classification")),
    }
