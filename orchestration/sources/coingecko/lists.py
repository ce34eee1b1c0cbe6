"""What CoinGecko gives of many coins at once: markets, names, contracts, categories, and the market as a whole.

Belongs here: the shapes of coins/markets, coins/list, coins/categories and global. Does not: one coin (`coins.py`,
`charts.py`), requests (`client.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_count,
    read_instant,
    read_number,
    read_positive,
    read_text,
    read_unix,
    refuse_future,
    validate,
)

MARKETS: Final = find_dataset("coingecko", "markets")
MARKET_DAILY: Final = find_dataset("coingecko", "market_daily")
ASSETS: Final = find_dataset("coingecko", "assets")
ASSET_CATEGORIES: Final = find_dataset("coingecko", "asset_categories")
CONTRACTS: Final = find_dataset("coingecko", "contracts")
CATEGORY_DAILY: Final = find_dataset("coingecko", "category_daily")
GLOBAL_DAILY: Final = find_dataset("coingecko", "global_daily")


def parse_markets(payload: Any, *, now: datetime) -> Fetched:
    """Turn a page of coins/markets into rows of the last finished day."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in as_list(payload, what="coins/markets"):
        try:
            rows.append(_read_market(record, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
    return validate(MARKETS, rows, now=now, rejected=rejected)


def _read_market(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    observed_at = read_instant(record.get("last_updated"), column="last_updated")
    refuse_future(observed_at, now=now, column="last_updated")
    return {
        "coin_id": read_text(record.get("id")),
        "symbol": read_text(record.get("symbol")),
        "name": read_text(record.get("name")),
        "market_date": last_finished_day(now),
        "observed_at": observed_at,
        "price_usd": read_number(record.get("current_price"), column="current_price"),
        "market_cap_usd": read_positive(record.get("market_cap"), column="market_cap"),
        "volume_24h_usd": read_number(record.get("total_volume"), column="total_volume"),
        "circulating_supply_tokens": read_positive(record.get("circulating_supply"), column="circulating_supply"),
        "total_supply_tokens": read_positive(record.get("total_supply"), column="total_supply"),
        "max_supply_tokens": read_positive(record.get("max_supply"), column="max_supply"),
    }


def parse_coin_list(payload: Any, *, now: datetime) -> Fetched:
    """Turn coins/list into rows of assets with id, ticker and name; a record without an id is refused."""
    rows, rejected = [], []
    for record in as_list(payload, what="coins/list"):
        coin_id = read_text(record.get("id")) if isinstance(record, dict) else None
        if coin_id is None:
            rejected.append(Rejected.of("id is missing", record))
        else:
            rows.append(
                {"coin_id": coin_id, "symbol": read_text(record.get("symbol")), "name": read_text(record.get("name"))}
            )
    return validate(ASSETS, rows, now=now, rejected=rejected)


def parse_contracts(payload: Any, *, now: datetime) -> Fetched:
    """Turn coins/list?include_platform=true into contracts.

    Coins of their own chain have `{}` or `{"": ""}`, and a chain may come with an empty or null address: no contract.
    """
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in as_list(payload, what="coins/list?include_platform=true"):
        coin_id = read_text(record.get("id")) if isinstance(record, dict) else None
        platforms = record.get("platforms") if isinstance(record, dict) else None
        if coin_id is None or not isinstance(platforms, dict):
            rejected.append(Rejected.of("id is missing or platforms is no object", record))
            continue
        for platform, address in platforms.items():
            if not platform.strip() or address is None or address == "":
                continue
            if read_text(address) is None:
                refused = {"id": coin_id, "platforms": {platform: address}}
                rejected.append(Rejected.of("contract address is no text", refused))
            else:
                row = {"coin_id": coin_id, "platform": platform.strip(), "contract_address": read_text(address)}
                rows.append(row)
    return validate(CONTRACTS, rows, now=now, rejected=rejected)


def parse_categories(payload: Any) -> dict[str, str]:
    """Read category names by id from coins/categories/list (`category_id`) or coins/categories (`id`)."""
    names: dict[str, str] = {}
    for record in as_list(payload, what="coins/categories/list"):
        category_id = read_text(record.get("category_id", record.get("id"))) if isinstance(record, dict) else None
        name = read_text(record.get("name")) if category_id else None
        if category_id and name:
            names[category_id] = name
    return names


def parse_members(payload: Any, *, category_id: str, category_name: str, now: datetime) -> Fetched:
    """Turn a page of coins/markets?category= into memberships; prices are not looked at."""
    rows, rejected = [], []
    for record in as_list(payload, what=f"coins/markets?category={category_id}"):
        coin_id = read_text(record.get("id")) if isinstance(record, dict) else None
        if coin_id is None:
            rejected.append(Rejected.of("id is missing", record))
        else:
            rows.append({"coin_id": coin_id, "category_id": category_id, "category_name": category_name})
    return validate(ASSET_CATEGORIES, rows, now=now, rejected=rejected)


def parse_category_daily(payload: Any, *, now: datetime) -> Fetched:
    """Turn coins/categories into totals of the last finished day; an empty category has nulls, and none for 0."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in as_list(payload, what="coins/categories"):
        try:
            rows.append(_read_category(record, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
    return validate(CATEGORY_DAILY, rows, now=now, rejected=rejected)


def _read_category(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    if read_text(record.get("updated_at")) is not None:  # absent for categories that never had a coin
        refuse_future(read_instant(record["updated_at"], column="updated_at"), now=now, column="updated_at")
    cap = read_positive(record.get("market_cap"), column="market_cap")
    volume = read_number(record.get("volume_24h"), column="volume_24h")
    return {
        "category_id": read_text(record.get("id")),
        "category_name": read_text(record.get("name")),
        "market_date": last_finished_day(now),
        "market_cap_usd": cap,
        "volume_24h_usd": None if cap is None and volume == 0 else volume,  # nothing was counted
    }


def parse_global_daily(payload: Any, *, now: datetime) -> Fetched:
    """Turn global into the row of the last finished day.

    Raises:
        UnexpectedBodyError: It holds no object `data`.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), dict):
        raise UnexpectedBodyError(f"coingecko: global holds no object `data`: {str(payload)[:200]}")
    record = payload["data"]
    try:
        rows, rejected = [_read_global(record, now=now)], []
    except UnreadableValueError as error:
        rows, rejected = [], [Rejected.of(str(error), record)]
    return validate(GLOBAL_DAILY, rows, now=now, rejected=rejected)


def _read_global(record: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    refuse_future(read_unix(record.get("updated_at"), column="updated_at"), now=now, column="updated_at")
    return {
        "market_date": last_finished_day(now),
        "market_cap_usd": read_number(_part(record, "total_market_cap", "usd"), column="total_market_cap.usd"),
        "volume_24h_usd": read_number(_part(record, "total_volume", "usd"), column="total_volume.usd"),
        "btc_dominance": _read_share(record, "btc"),
        "eth_dominance": _read_share(record, "eth"),
        "active_coins": read_count(record.get("active_cryptocurrencies"), column="active_cryptocurrencies"),
    }


def _read_share(record: Mapping[str, Any], symbol: str) -> float | None:
    percent = read_number(_part(record, "market_cap_percentage", symbol), column=f"market_cap_percentage.{symbol}")
    return None if percent is None else percent / 100


def _part(record: Mapping[str, Any], name: str, key: str) -> Any:
    inner = record.get(name)
    if inner is not None and not isinstance(inner, dict):
        raise UnreadableValueError(f"{name} is no object")
    return (inner or {}).get(key)


def as_list(payload: Any, *, what: str) -> list[Any]:
    """The answer as the list it should be.

    Raises:
        UnexpectedBodyError: It is none.
    """
    if not isinstance(payload, list):
        raise UnexpectedBodyError(f"coingecko: {what} is no list: {str(payload)[:200]}")
    return payload
