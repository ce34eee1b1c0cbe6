"""Loads of FRED: macro series, one request each.

Belongs here: from which day each series is asked. Does not: which series there are, and their shape (`sources/fred.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.loads.step import Step
from orchestration.sources.datasets import Dataset
from orchestration.sources.fred import DAILY, MONTHLY, SERIES, WEEKLY, fetch_series
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched

REREAD = {DAILY.name: timedelta(days=10), WEEKLY.name: timedelta(days=21), MONTHLY.name: timedelta(days=190)}
"""How far before the newest landed day a series is read again: figures are revised, money for half a year."""


def load_series(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Every series from some time before its newest landed day; one that fails leaves the others."""
    http, base_url = connections.http("fred"), connections.base_url("fred")
    asking = OneByOne()
    results = []
    for dataset in (DAILY, WEEKLY, MONTHLY):
        newest = ingestion.store.newest_market_dates(dataset, by="series_id")
        parts = []
        for series_id in (name for name, each in SERIES.items() if each is dataset):
            # Releases of a week or a month: once a week is often enough.
            if dataset is not DAILY and newest and not reach.is_week_end:
                continue
            start = _start(newest.get(series_id), dataset, reach)
            request = partial(fetch_series, http, series_id, start=start, now=reach.now, base_url=base_url)
            part = asking.ask(series_id, request)
            if part is not None:
                in_reach = pl.col("market_date").is_between(reach.first, reach.last)
                parts.append(Fetched(dataset, part.frame.filter(in_reach), part.rejected))
        failed = {name: said for name, said in asking.report().items() if SERIES.get(name, dataset) is dataset}
        results.append(ingestion.land(Fetched.join(dataset, parts), reach).with_failures(failed))
    asking.raise_if_nothing_came()
    return results


def _start(newest: date | None, dataset: Dataset, reach: Reach) -> date:
    return reach.first if newest is None else max(reach.first, newest - REREAD[dataset.name])


STEPS = (Step(name="fred_series", provider="fred", load=load_series, datasets=(DAILY, WEEKLY, MONTHLY)),)
