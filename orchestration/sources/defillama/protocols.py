"""The list of protocols: what is locked in each of them now.

Belongs here: its request and shape, what does not count as locked. Does not: sums of families (`families.py`), history
(`history.py`).

Traps: the answer is a bare list of some 8,200 rows and 10 MB. `category: "CEX"` are exchanges' wallets (row 1 is one). The
parts in `chainTvls` that are no chains (`borrowed`, `Ethereum-borrowed`, `staking`, `pool2` ...) are not part of `tvl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.families import FAMILY_PREFIX, family_rows
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

PROTOCOLS: Final = find_dataset("defillama", "protocols")

NOT_LOCKED: Final = frozenset(
    {"borrowed", "staking", "pool2", "treasury", "vesting", "offers", "OwnTokens"}
    | {"doublecounted", "liquidstaking", "dcAndLsOverlap"}
)
"""Parts of `chainTvls`, bare or behind the name of a chain, that are not in `tvl` or are in it already."""

DOUBLE_COUNTING: Final = frozenset(
    {
        "CEX",
        "Bridge",
        "Canonical Bridge",
        "Liquid Staking",
        "Liquid Restaking",
        "Restaking",
        "Yield",
        "Yield Aggregator",
        "Liquidity manager",
        "Leveraged Farming",
        "Onchain Capital Allocator",
        "Risk Curators",
        "Treasury Manager",
        "Anchor BTC",
    }
)
"""Categories whose deposits lie in other protocols too, or (exchanges, bridges) are no use of DeFi at all.

The list does not say which single protocols double count; DefiLlama's own flag is not in the free answer.
"""


@dataclass(frozen=True)
class ProtocolList:
    """The list of protocols.

    Attributes:
        fetched: Rows of `defillama/protocols`, versions and families.
        family_of: Family by protocol id, for versions.
    """

    fetched: Fetched
    family_of: Mapping[str, str]

    def families_without_coin(self) -> pl.DataFrame:
        """`protocol_id` and `slug` of families whose coin nobody named, the largest first."""
        frame = self.fetched.frame
        is_open = pl.col("protocol_id").str.starts_with(FAMILY_PREFIX) & pl.col("coin_id").is_null()
        return frame.filter(is_open).sort("tvl_usd", descending=True, nulls_last=True).select("protocol_id", "slug")

    def with_coins(self, coins: Mapping[str, str]) -> ProtocolList:
        """The same with coins that families named themselves."""
        named = pl.col("protocol_id").replace_strict(coins, default=None, return_dtype=pl.String)
        frame = self.fetched.frame.with_columns(coin_id=pl.coalesce(named, "coin_id"))
        return ProtocolList(Fetched(PROTOCOLS, frame, self.fetched.rejected), self.family_of)


def fetch_protocols(host: Host, *, coins: Mapping[str, str], now: datetime) -> ProtocolList:
    """Fetch all protocols with what is locked in them now, as of the last finished day.

    Args:
        host: `api.llama.fi`.
        coins: Coins of families as far as they are known.
        now: Instant of the request.

    Raises:
        SourceError: See `errors.py`.
    """
    return parse_protocols(host.get_list("/protocols"), coins=coins, now=now)


def fetch_family_coin(host: Host, slug: str, *, protocol_id: str) -> str | None:
    """Ask a family for its coin; None where it has none. The answer may be tens of MB.

    Raises:
        UnexpectedBodyError: The answer is another family's.
        SourceError: See `errors.py`.
    """
    payload = host.get_object(f"/protocol/{slug}")
    if payload.get("id") != protocol_id:
        raise UnexpectedBodyError(f"defillama: /protocol/{slug} is {payload.get('id')!r}, not {protocol_id}")
    return read_text(payload.get("gecko_id"))


def parse_protocols(payload: list[Any], *, coins: Mapping[str, str], now: datetime) -> ProtocolList:
    """Turn the list into rows, families included."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    slugs: dict[str, str] = {}
    broken: set[str] = set()
    is_any_broken = False
    for record in payload:
        try:
            row = _read_protocol(record, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            try:
                family = _read_family(record)
            except UnreadableValueError:
                is_any_broken = True
            else:
                broken |= {family} if family else set()
            continue
        slug = read_text(record.get("parentProtocolSlug"))
        if row["parent_id"] and slug:
            slugs[row["parent_id"]] = slug
        rows.append(row)
    versions = validate(PROTOCOLS, rows, now=now, rejected=rejected)
    landed = set(versions.frame["protocol_id"].to_list())
    broken |= {row["parent_id"] for row in rows if row["parent_id"] and row["protocol_id"] not in landed}
    if is_any_broken:  # a refused record whose family cannot be read may be a version of any
        broken |= {row["parent_id"] for row in rows if row["parent_id"]}
    kept_out = tuple(
        Rejected.of("a version of the family was refused, so that its sum would be too small", {"protocol_id": family})
        for family in sorted(broken)
    )
    families = family_rows(versions.frame, slugs, coins=coins, broken=broken)
    family_of = dict(
        versions.frame.filter(pl.col("parent_id").is_not_null()).select("protocol_id", "parent_id").iter_rows()
    )
    fetched = Fetched(PROTOCOLS, pl.concat([versions.frame, families]), (*versions.rejected, *kept_out))
    return ProtocolList(fetched, family_of)


def _read_protocol(record: Any, *, now: datetime) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    parts = record.get("chainTvls")
    if not isinstance(parts, dict):
        raise UnreadableValueError("chainTvls is no object")
    category = read_text(record.get("category"))
    tvl = read_number(record.get("tvl"), column="tvl")
    return {
        "protocol_id": _read_id(record.get("id")),
        "slug": read_text(record.get("slug")),
        "name": read_text(record.get("name")),
        "symbol": None if record.get("symbol") == "-" else read_text(record.get("symbol")),
        "coin_id": read_optional(record, "gecko_id"),
        "parent_id": _read_family(record),
        "category": category,
        "market_date": last_finished_day(now),
        "tvl_usd": _locked(parts) if tvl is None else tvl,
        "borrowed_usd": _part(parts, "borrowed"),
        "staking_usd": _part(parts, "staking"),
        "is_double_counted": category in DOUBLE_COUNTING,
    }


def read_optional(record: Mapping[str, Any], name: str) -> str | None:
    """Read a text that may be null or absent, but nothing else.

    Raises:
        UnreadableValueError: It is something else, so that a missing coin cannot be told from a damaged one.
    """
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise UnreadableValueError(f"{name} is no text")
    return read_text(value)


def _read_id(value: Any) -> str | None:
    """The id of a protocol, which may not be one of families: these are made here."""
    read = str(value) if isinstance(value, int) and not isinstance(value, bool) else read_text(value)
    if read and read.startswith(FAMILY_PREFIX):
        raise UnreadableValueError("id is that of a family")
    return read


def _read_family(record: Any) -> str | None:
    """The id of the family a protocol belongs to; not its text alone says so, since another protocol may have the same."""
    if not isinstance(record, dict):
        raise UnreadableValueError("record is no object")
    family = read_optional(record, "parentProtocol")
    if family and not family.startswith(FAMILY_PREFIX):
        raise UnreadableValueError("parentProtocol is no id of a family")
    return family


def _locked(parts: Mapping[str, Any]) -> float | None:
    """Sum of the chains alone."""
    chains = [read_number(value, column=name) for name, value in parts.items() if not _is_aside(name)]
    known = [value for value in chains if value is not None]
    return sum(known) if known else None


def _is_aside(name: str) -> bool:
    return name in NOT_LOCKED or name.rpartition("-")[2] in NOT_LOCKED


def _part(parts: Mapping[str, Any], name: str) -> float | None:
    """A part over all chains: as given, or the sum of what is given by chain."""
    total = read_number(parts.get(name), column=name)
    if total is not None:
        return total
    by_chain = [read_number(value, column=key) for key, value in parts.items() if key.endswith(f"-{name}")]
    known = [value for value in by_chain if value is not None]
    return sum(known) if known else None
