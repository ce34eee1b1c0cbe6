"""TVL, fees, revenue and DEX volume by day of the protocols that stand for a coin.

Belongs here: what comes from common answers, whose history is asked. Does not: wire formats (`sources/defillama/metrics.py`).

A daily run is content with four common answers: the list of protocols gives the TVL of the last day, three overviews give two
days of fees, revenue and volume. A history costs one request, that of TVL many MB; it is asked where a metric of a followed
token's protocol has no rows yet or lacks days in between, the largest protocols first, as many as `protocol_histories` says.
What failed for a passing reason gets no value of the day either, so that the next run still sees the gap; what does not exist or
is too large goes on with the days from now on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.landing import LandingStore, connect, read_parquet_sql
from orchestration.lib.loads.followed import followed_coins
from orchestration.lib.loads.histories import land_histories
from orchestration.sources.defillama.families import holders_of_coins
from orchestration.sources.defillama.metrics import (
    FLOWS,
    PROTOCOL_METRICS,
    TVL,
    Overview,
    fetch_flow_history,
    fetch_overview,
    fetch_tvl_history,
    tvl_rows,
    with_coins,
)
from orchestration.sources.defillama.protocols import ProtocolList
from orchestration.sources.defillama.wire import Host
from orchestration.sources.errors import RequestRejectedError, ResponseTooLargeError
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched

WHOLE_DAYS: Final = 1
"""Days a metric may lack and still be filled by the common answers."""

Key = tuple[str, str]
"""Protocol id and metric."""


def load_metrics(
    host: Host, protocols: ProtocolList, ingestion: Ingestion, connections: Connections, reach: Reach
) -> Ingested:
    """Land histories where they are missing, then the day's values of everybody who stands for a coin.

    Raises:
        SourceError: The host is down.
    """
    holders = holders_of_coins(protocols.fetched.frame)
    overviews = [fetch_overview(host, flow, family_of=protocols.family_of, now=reach.now) for flow in FLOWS]
    daily = _daily(holders, overviews)
    newest = _newest_days(ingestion.store)
    gaps = _gaps(daily.frame, holders, overviews, newest, oldest=reach.last - timedelta(days=WHOLE_DAYS))
    followed = pl.col("coin_id").is_in(sorted(followed_coins(ingestion.store)))
    largest = holders.filter(followed).sort("tvl_usd", descending=True, nulls_last=True, maintain_order=True)
    behind = [row for row in largest.iter_rows(named=True) if row["protocol_id"] in gaps]
    asked = {row["protocol_id"]: row for row in behind[: connections.settings.protocol_histories]}
    filling = _Filling(host, reach, newest)

    def fetch(name: str) -> Fetched:
        return with_coins(filling.fetch(asked[name], gaps[name]), holders)

    due = dict.fromkeys(asked, reach.first)  # the days wanted differ by metric, so `fetch` chooses them
    total = Ingested(PROTOCOL_METRICS)
    total = land_histories(total, due, fetch, filling.asking, ingestion, reach, unit="protocols")
    return total + ingestion.land(Fetched(PROTOCOL_METRICS, filling.left_of(daily.frame), daily.rejected), reach)


@dataclass
class _Filling:
    """Histories while they are asked."""

    host: Host
    reach: Reach
    newest: Mapping[Key, date]

    def __post_init__(self) -> None:
        self.asking = OneByOne()
        self._filled: list[pl.DataFrame] = []
        self._open: set[Key] = set()

    def fetch(self, row: Mapping[str, Any], metrics: Sequence[str]) -> Fetched:
        """Histories of one protocol, each from its first missing day; one that fails leaves the others."""
        parts = []
        for metric in metrics:
            key = (row["protocol_id"], metric)
            self._open.add(key)
            history = self.asking.ask(f"{row['slug']}: {metric}", partial(self._ask, key, row["slug"]))
            if history is None:
                continue
            self._open.discard(key)
            days = pl.col("market_date").is_between(self.reach.start_after(self.newest.get(key)), self.reach.last)
            rows = history.frame.filter(days)
            self._filled.append(rows.select(PROTOCOL_METRICS.key))
            parts.append(Fetched(PROTOCOL_METRICS, rows, history.rejected))
        return Fetched.join(PROTOCOL_METRICS, parts)

    def left_of(self, daily: pl.DataFrame) -> pl.DataFrame:
        """The day's values without those a history gave better, and without those whose history is still to come."""
        keys = {"protocol_id": pl.String, "metric": pl.String}
        still_open = pl.DataFrame(sorted(self._open), schema=keys, orient="row")
        left = daily.join(still_open, on=list(keys), how="anti", maintain_order="left")
        if not self._filled:
            return left
        return left.join(pl.concat(self._filled), on=list(PROTOCOL_METRICS.key), how="anti", maintain_order="left")

    def _ask(self, key: Key, slug: str) -> Fetched:
        name, metric = key
        flow = next((each for each in FLOWS if each.metric == metric), None)
        try:
            if flow is None:
                return fetch_tvl_history(self.host, slug, protocol_id=name, now=self.reach.now)
            return fetch_flow_history(self.host, flow, slug, protocol_id=name, now=self.reach.now)
        except (RequestRejectedError, ResponseTooLargeError):
            self._open.discard(key)  # it will be no other tomorrow
            raise


def _daily(holders: pl.DataFrame, overviews: Iterable[Overview]) -> Fetched:
    """What the list and the overviews say of those who stand for a coin."""
    tvl = Fetched(PROTOCOL_METRICS, tvl_rows(holders))
    named = with_coins(Fetched.join(PROTOCOL_METRICS, [tvl, *(each.fetched for each in overviews)]), holders)
    return Fetched(PROTOCOL_METRICS, named.frame.filter(pl.col("coin_id").is_not_null()), named.rejected)


def _gaps(
    daily: pl.DataFrame,
    holders: pl.DataFrame,
    overviews: Iterable[Overview],
    newest: Mapping[Key, date],
    *,
    oldest: date,
) -> dict[str, list[str]]:
    """Metrics that have a value now but no rows of the days before it, by protocol.

    What has no value now has ended or pauses, and is not asked for again day after day. Of a protocol without any rows all that
    it ever reported is asked, or those that are dead would be missing from the past.
    """
    known = {name for name, _ in newest}
    current = daily.filter(pl.col("market_date") >= oldest).select("protocol_id", "metric").unique(maintain_order=True)
    ever = {TVL: set(holders.filter(pl.col("tvl_usd").is_not_null())["protocol_id"].to_list())}
    ever |= {each.metric: set(each.ids) for each in overviews}
    ended = [(name, metric) for metric, names in ever.items() for name in sorted(names - known)]
    gaps: dict[str, list[str]] = {}
    for name, metric in dict.fromkeys([*current.rows(), *ended]):
        if newest.get((name, metric), date.min) < oldest:
            gaps.setdefault(name, []).append(metric)
    return gaps


def _newest_days(store: LandingStore) -> dict[Key, date]:
    files = store.files(PROTOCOL_METRICS)
    if not files:
        return {}
    with connect() as connection:
        rows = connection.sql(
            f"SELECT protocol_id, metric, max(market_date) FROM {read_parquet_sql(files)} GROUP BY ALL"
        ).fetchall()
    return {(name, metric): day for name, metric, day in rows}
