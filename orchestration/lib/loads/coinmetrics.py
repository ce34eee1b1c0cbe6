"""Loads of Coin Metrics: on-chain, flow and market metrics of the tokens whose chain it reads.

Belongs here: which metrics of which tokens. Does not: its wire format (`sources/coinmetrics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial

from orchestration.lib import progress
from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.loads.step import Step
from orchestration.sources.coinmetrics import ASSET_METRICS, CoinMetrics
from orchestration.sources.one_by_one import OneByOne

ONCHAIN_METRICS = (
    "AdrActCnt",
    "AdrBalCnt",
    "BlkCnt",
    "CapMVRVCur",
    "CapMrktCurUSD",
    "CapMrktEstUSD",
    "FeeTotNtv",
    "FlowInExNtv",
    "FlowInExUSD",
    "FlowOutExNtv",
    "FlowOutExUSD",
    "HashRate",
    "IssTotNtv",
    "IssTotUSD",
    "PriceUSD",
    "ReferenceRateUSD",
    "SplyCur",
    "SplyExNtv",
    "SplyExUSD",
    "SplyExpFut10yr",
    "TxCnt",
    "TxTfrCnt",
    "volume_reported_spot_usd_1d",
)
"""Of the community's 31 daily metrics all but completion times, returns, and the reference rate in other units."""

CHAIN_METRICS = ("AdrActCnt", "TxCnt")
"""A token with one of them has a chain that is read; hundreds of others have only a price, which others give as well."""

BATCH_TOKENS = 25
"""Tokens landed at a time, so that a killed backfill keeps what it had."""


def load_onchain(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """The community's metrics of every token whose chain is read, each from a few days before its newest landed day."""
    coinmetrics = CoinMetrics(connections.http("coinmetrics"), base_url=connections.base_url("coinmetrics"))
    wanted = wanted_metrics(coinmetrics.fetch_catalogue())
    newest = ingestion.store.newest_market_dates(ASSET_METRICS, by="asset")
    starts = {asset: reach.start_after(newest.get(asset)) for asset in wanted}
    due = {asset: metrics for asset, metrics in wanted.items() if starts[asset] <= reach.last}
    asking, total, done = OneByOne(), Ingested(ASSET_METRICS), 0
    for start, assets in _batches(starts, due):
        # One list for all, because equal lists share requests; what a token does not have is left out of the answer.
        together = sorted(set().union(*(due[asset] for asset in assets)))
        metrics = dict.fromkeys(assets, together)
        request = partial(coinmetrics.fetch_asset_metrics, metrics, start=start, end=reach.last, now=reach.now)
        fetched = asking.ask(",".join(assets), request)
        if fetched is not None:
            total += ingestion.land(fetched, reach)
        done += len(assets)
        ingestion.report(progress.sentence(ASSET_METRICS.label, done, len(due), "tokens"))
    asking.raise_if_nothing_came()
    return [total.with_failures(asking.report())]


def wanted_metrics(catalogue: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Of a catalogue the tokens whose chain is read, with those of our metrics that they have."""
    return {
        asset: tuple(metric for metric in ONCHAIN_METRICS if metric in metrics)
        for asset, metrics in catalogue.items()
        if any(metric in metrics for metric in CHAIN_METRICS)
    }


def _batches(starts: Mapping[str, date], assets: Iterable[str]) -> Iterator[tuple[date, list[str]]]:
    """Tokens that begin on the same day, some at a time."""
    by_start: dict[date, list[str]] = {}
    for asset in sorted(assets):
        by_start.setdefault(starts[asset], []).append(asset)
    for start, together in sorted(by_start.items()):
        for first in range(0, len(together), BATCH_TOKENS):
            yield start, together[first : first + BATCH_TOKENS]


STEPS = (Step(name="coinmetrics_asset_metrics", provider="coinmetrics", load=load_onchain, datasets=(ASSET_METRICS,)),)
