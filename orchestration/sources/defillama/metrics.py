"""Fees, revenue and DEX volume of all protocols for the last two days, and the history of one protocol.

Belongs here: their requests and shapes. Does not: which protocols are asked (`orchestration/lib/loads/defillama.py`).

Assumption about the overviews, whose 24 hours carry no date: DefiLlama sums by UTC day and always takes yesterday's record for
`total24h`, the day before for `total48hto24h`. So they belong to the last finished day and the one before it. Just after
midnight a cached answer may still be a day old; the second figure, read again a day later, then lands as the correction.

Traps: `protocolType: "chain"` rows are fees of chains, not of protocols. A version that reports nothing is null, and a family
whose versions all are null has no value: nothing here becomes 0. `/protocol/{slug}` may be tens of MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from orchestration.sources.datasets import find_dataset
from orchestration.sources.defillama.wire import Host, read_points, with_columns_of
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import Query
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_positive,
    read_text,
    validate,
    validate_frame,
)

PROTOCOL_METRICS: Final = find_dataset("defillama", "protocol_metrics")

TVL: Final = "tvl_usd"
NO_CHARTS: Final[Query] = {"excludeTotalDataChart": True, "excludeTotalDataChartBreakdown": True}
"""Without them an overview is far beyond 4 MB."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that has an overview of all protocols and a history of each.

    Attributes:
        metric: Its name in our rows.
        kind: Its name in addresses.
        params: What else tells it apart.
    """

    metric: str
    kind: str
    params: Query


FLOWS: Final = (
    Flow("fees_usd", "fees", {"dataType": "dailyFees"}),
    Flow("revenue_usd", "fees", {"dataType": "dailyRevenue"}),
    Flow("dex_volume_usd", "dexs", {}),
)


@dataclass(frozen=True)
class Overview:
    """One flow of all protocols.

    Attributes:
        metric: Which flow.
        fetched: Rows of `defillama/protocol_metrics` of two days: of protocols, versions and families.
        ids: Whoever reports the flow, whether there is a value now or not.
    """

    metric: str
    fetched: Fetched
    ids: frozenset[str]


def fetch_overview(host: Host, flow: Flow, *, family_of: Mapping[str, str], now: datetime) -> Overview:
    """Fetch the last two days of one flow for all protocols in one request.

    Args:
        host: `api.llama.fi`.
        flow: Which.
        family_of: Family by protocol id, as the list of protocols has it.
        now: Instant of the request.

    Raises:
        SourceError: See `errors.py`.
    """
    payload = host.get_object(f"/overview/{flow.kind}", params={**NO_CHARTS, **flow.params}, holding="protocols")
    return parse_overview(payload, flow, family_of=family_of, now=now)


def parse_overview(payload: Mapping[str, Any], flow: Flow, *, family_of: Mapping[str, str], now: datetime) -> Overview:
    """Turn an overview into rows of two days: of protocols, versions and families."""
    records = payload.get("protocols")
    if not isinstance(records, list):
        raise UnexpectedBodyError(f"defillama: overview of {flow.kind} holds no list `protocols`: {str(payload)[:200]}")
    newest = last_finished_day(now)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    ids: set[str] = set()
    broken: set[str] = set()
    for record in records:
        protocol_id: str | None = None
        try:
            if not isinstance(record, dict):
                raise UnreadableValueError("record is no object")
            if record.get("protocolType") == "chain":
                continue
            protocol_id = read_text(record.get("defillamaId"))
            if protocol_id is None:
                raise UnreadableValueError("defillamaId is missing or not readable")
            values = {
                newest: read_positive(record.get("total24h"), column="total24h"),
                newest - timedelta(days=1): read_positive(record.get("total48hto24h"), column="total48hto24h"),
            }
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
            # A sum without one of its versions would be too small, and a record without an id may be one of any family.
            broken |= set(family_of.values()) if protocol_id is None else {family_of.get(protocol_id, protocol_id)}
            continue
        ids |= {protocol_id, family_of.get(protocol_id, protocol_id)}
        rows += [
            {"protocol_id": protocol_id, "metric": flow.metric, "market_date": day, "value": value}
            for day, value in values.items()
            if value is not None
        ]
    versions = validate(PROTOCOL_METRICS, rows, now=now, rejected=rejected)
    families = _summed(versions.frame, family_of).filter(~pl.col("protocol_id").is_in(sorted(broken)))
    fetched = Fetched(PROTOCOL_METRICS, pl.concat([versions.frame, families]), versions.rejected)
    return Overview(flow.metric, fetched, frozenset(ids))


def tvl_rows(protocols: pl.DataFrame) -> pl.DataFrame:
    """What the list of protocols says is locked now, as rows of `defillama/protocol_metrics`; 0 is no value, as in histories."""
    known = protocols.filter(pl.col("tvl_usd") > 0).with_columns(value="tvl_usd")
    return with_columns_of(known.drop("coin_id"), PROTOCOL_METRICS.columns, metric=TVL)


def fetch_tvl_history(host: Host, slug: str, *, protocol_id: str, now: datetime) -> Fetched:
    """Fetch what was locked in one protocol or family at the close of every finished day.

    Raises:
        ResponseTooLargeError: The answer is beyond the cap of the client.
        UnexpectedBodyError: It is another protocol's answer, or holds no series.
        SourceError: See `errors.py`.
    """
    return parse_tvl_history(host.get_object(f"/protocol/{slug}", holding="tvl"), protocol_id=protocol_id, now=now)


def parse_tvl_history(payload: Mapping[str, Any], *, protocol_id: str, now: datetime) -> Fetched:
    """Turn `tvl` into rows; the parts by chain and token are not read."""
    series = payload.get("tvl")
    if not isinstance(series, list):
        raise UnexpectedBodyError(f"defillama: history of {protocol_id} holds no list `tvl`: {str(payload)[:200]}")
    found = str(payload.get("id", protocol_id))
    if found != protocol_id:
        raise UnexpectedBodyError(f"defillama: asked for the history of {protocol_id}, but got {found}")
    about = {"protocol_id": protocol_id, "metric": TVL}
    points = read_points(
        series, lambda point: (point["date"], point["totalLiquidityUSD"]), column="tvl", about=about, now=now
    )
    frame = with_columns_of(points.closes(now), PROTOCOL_METRICS.columns, protocol_id=protocol_id, metric=TVL)
    return validate_frame(PROTOCOL_METRICS, frame, now=now, rejected=points.rejected)


def fetch_flow_history(host: Host, flow: Flow, slug: str, *, protocol_id: str, now: datetime) -> Fetched:
    """Fetch one flow of one protocol or family for every finished day.

    Raises:
        UnexpectedBodyError: It holds no series.
        SourceError: See `errors.py`.
    """
    params: Query = {**flow.params, "excludeTotalDataChartBreakdown": True}
    payload = host.get_object(f"/summary/{flow.kind}/{slug}", params=params, holding="totalDataChart")
    return parse_flow_history(payload, flow, protocol_id=protocol_id, now=now)


def parse_flow_history(payload: Mapping[str, Any], flow: Flow, *, protocol_id: str, now: datetime) -> Fetched:
    """Turn `totalDataChart` into rows."""
    series = payload.get("totalDataChart")
    if not isinstance(series, list):
        message = f"defillama: {flow.metric} of {protocol_id} hold no list `totalDataChart`: {str(payload)[:200]}"
        raise UnexpectedBodyError(message)
    about = {"protocol_id": protocol_id, "metric": flow.metric}
    points = read_points(series, lambda point: (point[0], point[1]), column=flow.metric, about=about, now=now)
    frame = with_columns_of(points.flows(now), PROTOCOL_METRICS.columns, protocol_id=protocol_id, metric=flow.metric)
    return validate_frame(PROTOCOL_METRICS, frame, now=now, rejected=points.rejected)


def with_coins(fetched: Fetched, holders: pl.DataFrame) -> Fetched:
    """The rows of those who stand for a coin (`families.holders_of_coins`), with the coin."""
    coins = holders.select("protocol_id", "coin_id")
    joined = fetched.frame.drop("coin_id").join(coins, on="protocol_id", maintain_order="left")
    return Fetched(PROTOCOL_METRICS, joined.select(list(PROTOCOL_METRICS.columns)), fetched.rejected)


def _summed(versions: pl.DataFrame, family_of: Mapping[str, str]) -> pl.DataFrame:
    family = pl.col("protocol_id").replace_strict(dict(family_of), default=None, return_dtype=pl.String)
    members = versions.with_columns(protocol_id=family).filter(pl.col("protocol_id").is_not_null())
    summed = members.group_by("protocol_id", "metric", "market_date", maintain_order=True).agg(pl.col("value").sum())
    return with_columns_of(summed, PROTOCOL_METRICS.columns)
