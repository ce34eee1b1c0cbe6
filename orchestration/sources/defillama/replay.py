"""Readers of quarantined records of DefiLlama's lists, which cannot be asked for again: they speak of the moment only.

Belongs here: from the payload a parser keeps to that parser. Does not: which records are open (`orchestration/lib/quarantine.py`),
points of histories and unlock schedules, which the next reading brings again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestration.sources.defillama.protocols import parse_protocols
from orchestration.sources.defillama.stablecoins import parse_stablecoins
from orchestration.sources.defillama.yields import parse_yields
from orchestration.sources.validation import Fetched, UnreadableValueError


def read_kept_protocol(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one protocol of the list; the sum of its family stays as it landed."""
    if not isinstance(payload, Mapping) or "chainTvls" not in payload:
        raise UnreadableValueError("record is no protocol of the list")
    alone = {name: value for name, value in payload.items() if name != "parentProtocolSlug"}
    fetched = parse_protocols([alone], coins={}, now=now).fetched
    return [row for row in _rows(fetched) if row["protocol_id"] != payload.get("parentProtocol")]


def read_kept_stablecoin(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one stablecoin of the list."""
    return _rows(parse_stablecoins({"peggedAssets": [payload]}, now=now))


def read_kept_pool(payload: object, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Read one pool."""
    return _rows(parse_yields({"status": "success", "data": [payload]}, now=now))


def _rows(fetched: Fetched) -> list[dict[str, Any]]:
    if fetched.rejected:
        raise UnreadableValueError(fetched.rejected[0].reason)
    return fetched.frame.to_dicts()
