"""Who holds a token: how many, and how much of it the largest have.

Belongs here: the shape of tokens/{address}/info. Does not: requests (`client.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.geckoterminal.values import kept_rows, object_in, read_amount, read_count
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_instant,
    read_number,
    read_text,
    refuse_future,
    validate,
)

TOKEN_HOLDERS: Final = find_dataset("geckoterminal", "token_holders")


def parse_token_holders(payload: Any, *, network: str, token_address: str, now: datetime) -> Fetched:
    """Turn tokens/{address}/info into the row of the last finished day.

    Raises:
        UnexpectedBodyError: It holds no object `data`.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), dict):
        raise UnexpectedBodyError(f"geckoterminal: token info holds no object `data`: {str(payload)[:200]}")
    record = payload["data"]
    rows, rejected = [], []
    try:
        rows.append(_read_holders(record, network=network, token_address=token_address, now=now))
    except UnreadableValueError as error:
        asked = {"network": network, "token_address": token_address}
        rejected.append(Rejected.of(str(error), {**asked, "token": record}))
    return validate(TOKEN_HOLDERS, rows, now=now, rejected=rejected)


def _read_holders(record: Any, *, network: str, token_address: str, now: datetime) -> dict[str, Any]:
    attributes = object_in(record, "attributes")
    told = read_text(attributes.get("address"))
    if told is None or told.lower() != token_address.lower():
        raise UnreadableValueError(f"answer is about {told}, not {token_address}")
    holders = object_in(attributes, "holders")
    shares = object_in(holders, "distribution_percentage")
    if holders.get("last_updated") is not None:
        refuse_future(read_instant(holders["last_updated"], column="last_updated"), now=now, column="last_updated")
    return {
        "network": network,
        "token_address": token_address,
        "market_date": last_finished_day(now),
        "coin_id": read_text(attributes.get("coingecko_coin_id")),
        "symbol": read_text(attributes.get("symbol")),
        "holders": read_count(holders, "count") or None,
        "top_10_share": _read_share(shares, "top_10"),
        "next_30_share": _read_sum(shares, "11_20", "21_40"),
        "next_40_share": _read_sum(shares, "11_30", "31_50"),
        "score": read_number(attributes.get("gt_score"), column="gt_score"),
        "is_honeypot": _read_verdict(attributes, "is_honeypot"),
        "has_mint_authority": _read_verdict(attributes, "mint_authority"),
    }


def _read_share(shares: Mapping[str, Any], name: str) -> float | None:
    percent = read_amount(shares, name)
    return None if percent is None else percent / 100


def _read_sum(shares: Mapping[str, Any], first: str, second: str) -> float | None:
    parts = [_read_share(shares, first), _read_share(shares, second)]
    return None if parts[0] is None or parts[1] is None else parts[0] + parts[1]


def _read_verdict(attributes: Mapping[str, Any], name: str) -> str | None:
    """Yes, no or unknown: a word on Solana, true, false or null elsewhere; an address means that somebody has it."""
    value = attributes.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is not None and not isinstance(value, str):
        raise UnreadableValueError(f"{name} is neither a word nor a flag")
    word = read_text(value)
    return word if word is None or word in ("yes", "no", "unknown") else "yes"


def read_kept_holders(payload: Any, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read a refused answer again.

    Raises:
        UnreadableValueError: It still cannot be read.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("token"), dict):
        raise UnreadableValueError("record is no object")
    network, address = str(payload.get("network")), str(payload.get("token_address"))
    return kept_rows(parse_token_holders({"data": payload["token"]}, network=network, token_address=address, now=now))
