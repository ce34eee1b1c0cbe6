"""Pages of pools: trending, new, or asked for by address.

Belongs here: their shape. Does not: requests (`client.py`), prices over time (`candles.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.geckoterminal.values import kept_rows, object_in, read_above_zero, read_amount, read_count
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_instant,
    read_text,
    refuse_future,
    validate,
)

POOLS: Final = find_dataset("geckoterminal", "pools")


def parse_pools(payload: Any, *, found_as: str, now: datetime) -> Fetched:
    """Turn a page of pools into rows of the last finished day.

    Raises:
        UnexpectedBodyError: It holds no list `data`.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        raise UnexpectedBodyError(f"geckoterminal: pools hold no list `data`: {str(payload)[:200]}")
    tokens = _included_tokens(payload)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in payload["data"]:
        try:
            rows.append({**_read_pool(record, tokens, now=now), "found_as": found_as})
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"found_as": found_as, "pool": record}))
    return validate(POOLS, rows, now=now, rejected=rejected)


def _read_pool(record: Any, tokens: Mapping[str, Mapping[str, Any]], *, now: datetime) -> dict[str, Any]:
    attributes = object_in(record, "attributes")
    pool_id, address = read_text(record.get("id")), read_text(attributes.get("address"))
    if pool_id is None or address is None or not pool_id.endswith(f"_{address}"):
        raise UnreadableValueError("id is not network_address")
    network = pool_id[: -len(address) - 1]
    base_id, quote_id = _related(record, "base_token"), _related(record, "quote_token")
    base = tokens.get(base_id or "", {})
    transactions = object_in(object_in(attributes, "transactions"), "h24")
    return {
        "pool_id": pool_id,
        "network": network,
        "pool_address": address,
        "name": read_text(attributes.get("name")),
        "base_token_address": _address(base_id, network),
        "base_token_symbol": read_text(base.get("symbol")),
        "coin_id": read_text(base.get("coingecko_coin_id")),
        "quote_token_address": _address(quote_id, network),
        "dex": _related(record, "dex"),
        "created_at": _read_created(attributes.get("pool_created_at"), now=now),
        "market_date": last_finished_day(now),
        "price_usd": read_amount(attributes, "base_token_price_usd"),
        "fdv_usd": read_above_zero(attributes, "fdv_usd"),
        "market_cap_usd": read_above_zero(attributes, "market_cap_usd"),
        "liquidity_usd": read_amount(attributes, "reserve_in_usd"),
        "volume_24h_usd": read_amount(object_in(attributes, "volume_usd"), "h24"),
        "buys_24h": read_count(transactions, "buys"),
        "sells_24h": read_count(transactions, "sells"),
        "buyers_24h": read_count(transactions, "buyers"),
        "sellers_24h": read_count(transactions, "sellers"),
    }


def _read_created(value: Any, *, now: datetime) -> datetime | None:
    if value is None:
        return None
    created_at = read_instant(value, column="pool_created_at")
    refuse_future(created_at, now=now, column="pool_created_at")
    return created_at


def _included_tokens(payload: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Attributes of the tokens that came along, by id; what cannot be read is as good as not included."""
    included = payload.get("included")
    records = included if isinstance(included, list) else []
    return {
        record["id"]: record["attributes"]
        for record in records
        if isinstance(record, dict)
        and record.get("type") == "token"
        and isinstance(record.get("id"), str)
        and isinstance(record.get("attributes"), dict)
    }


def _related(record: Mapping[str, Any], name: str) -> str | None:
    return read_text(object_in(object_in(object_in(record, "relationships"), name), "data").get("id"))


def _address(token_id: str | None, network: str) -> str | None:
    return token_id.removeprefix(f"{network}_") if token_id else None


def read_kept_pool(payload: Any, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read a refused pool again; its tokens came beside it, so their names stay unknown.

    Raises:
        UnreadableValueError: It still cannot be read.
    """
    if not isinstance(payload, dict):
        raise UnreadableValueError("record is no object")
    return kept_rows(parse_pools({"data": [payload.get("pool")]}, found_as=str(payload.get("found_as")), now=now))
