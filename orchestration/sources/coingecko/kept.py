"""Refused records of CoinGecko, read again by today's parsers.

Belongs here: from what was kept to the parser it comes from. Does not: points and market rows (`sources/replay.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestration.sources.coingecko.coins import CoinDocument, parse_coins
from orchestration.sources.coingecko.lists import (
    parse_category_daily,
    parse_coin_list,
    parse_contracts,
    parse_global_daily,
)
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import Fetched, UnreadableValueError

Rows = Sequence[Mapping[str, Any]]


def read_kept_asset(payload: Any, now: datetime) -> Rows:
    """Read a coin of coins/list, or the part of coins/{id} that is kept as metadata."""
    if isinstance(payload, dict) and "links" in payload:
        return _rows(parse_coins([_document(payload)], now=now)[0])
    return _rows(parse_coin_list([payload], now=now))


def read_kept_activity(payload: Any, now: datetime) -> Rows:
    """Read the part of coins/{id} that is kept as activity."""
    return _rows(parse_coins([_document(payload)], now=now)[1])


def read_kept_contract(payload: Any, now: datetime) -> Rows:
    """Read a coin's contracts."""
    return _rows(parse_contracts([payload], now=now))


def read_kept_category(payload: Any, now: datetime) -> Rows:
    """Read a category's totals."""
    return _rows(parse_category_daily([payload], now=now))


def read_kept_global(payload: Any, now: datetime) -> Rows:
    """Read the market's totals."""
    if not isinstance(payload, dict):
        raise UnreadableValueError("record is no object")
    return _rows(parse_global_daily({"data": payload}, now=now))


def _document(payload: Any) -> CoinDocument:
    try:
        return CoinDocument.of(payload)
    except UnexpectedBodyError as error:
        raise UnreadableValueError(str(error)) from None


def _rows(fetched: Fetched) -> Rows:
    if fetched.rejected:
        raise UnreadableValueError(fetched.rejected[0].reason)
    return fetched.frame.to_dicts()
