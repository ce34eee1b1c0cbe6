"""What is locked on chains, without double counts, staking and borrowed.

Belongs here: the list of chains and their histories. Does not: which chains are asked (`orchestration/lib/loads`).

`/v2/chains` has every chain's value of now in one answer, but does not say whether it leaves out what the histories leave out,
so only names and coins are taken from it and every value comes from a history: two definitions would look like a jump.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.protocols import read_optional
from orchestration.sources.defillama.wire import Host, read_points, with_columns_of
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import Fetched, Rejected, UnreadableValueError, read_number, validate_frame

CHAIN_TVL: Final = find_dataset("defillama", "chain_tvl")
ALL_CHAINS: Final = "ALL"


def fetch_chains(host: Host) -> tuple[pl.DataFrame, tuple[Rejected, ...]]:
    """Fetch the chains: `chain`, `coin_id` (null where unknown) and `tvl_usd`, the largest first; and what was refused.

    Raises:
        SourceError: See `errors.py`.
    """
    return parse_chains(host.get_list("/v2/chains"))


def parse_chains(payload: list[Any]) -> tuple[pl.DataFrame, tuple[Rejected, ...]]:
    """Turn the list into a frame. A chain without a value is left out, since nothing of it could be asked by size."""
    rows: list[tuple[str, str | None, float]] = []
    rejected: list[Rejected] = []
    for record in payload:
        try:
            if not isinstance(record, dict):
                raise UnreadableValueError("record is no object")
            name, coin_id = read_optional(record, "name"), read_optional(record, "gecko_id")
            if name is None:
                raise UnreadableValueError("name is missing")
            tvl = read_number(record.get("tvl"), column="tvl")
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            continue
        if tvl is not None:
            rows.append((name, coin_id, tvl))
    if not rows:
        raise UnexpectedBodyError(f"defillama: the list of chains holds no chain with a value: {str(payload)[:200]}")
    frame = pl.DataFrame(rows, schema={"chain": pl.String, "coin_id": pl.String, "tvl_usd": pl.Float64}, orient="row")
    unique = frame.unique("chain", keep="first", maintain_order=True)
    return unique.sort("tvl_usd", descending=True, maintain_order=True), tuple(rejected)


def fetch_chain_tvl(host: Host, chain: str, *, coin_id: str | None, now: datetime) -> Fetched:
    """Fetch what was locked on a chain, or with `ALL_CHAINS` on all of them, at the close of every finished day.

    Raises:
        SourceError: See `errors.py`.
    """
    path = "/v2/historicalChainTvl" if chain == ALL_CHAINS else f"/v2/historicalChainTvl/{quote(chain, safe='')}"
    return parse_chain_tvl(host.get_list(path), chain=chain, coin_id=coin_id, now=now)


def parse_chain_tvl(payload: list[Any], *, chain: str, coin_id: str | None, now: datetime) -> Fetched:
    """Turn a history into rows of `defillama/chain_tvl`."""
    points = read_points(
        payload, lambda point: (point["date"], point["tvl"]), column="tvl", about={"chain": chain}, now=now
    )
    closes = points.closes(now).rename({"value": "tvl_usd"})
    frame = with_columns_of(closes, CHAIN_TVL.columns, chain=chain, coin_id=coin_id)
    return validate_frame(CHAIN_TVL, frame, now=now, rejected=points.rejected)
