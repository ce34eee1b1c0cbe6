"""Histories that cost a request each: asked one by one, landed some at a time.

Belongs here: landing them, and the end of a load whose host is down. Does not: who is asked and from which day (the other modules).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date

import polars as pl

from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.loads.batches import ask_in_batches
from orchestration.lib.progress import sentence
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import Fetched


def land_histories(
    total: Ingested,
    due: Mapping[str, date],
    fetch: Callable[[str], Fetched | None],
    asking: OneByOne,
    ingestion: Ingestion,
    reach: Reach,
    *,
    unit: str,
) -> Ingested:
    """Fetch things one after the other and land their rows from a day on, by calendar year.

    Args:
        total: What the load did to the dataset so far.
        due: Things to ask, with the first day wanted of each.
        fetch: Asks for one thing through `asking`; None where it failed.
        asking: What failed so far.
        ingestion: Where rows land.
        reach: The time the load is for.
        unit: What the things are, for the progress shown.

    Raises:
        SourceError: The host is down. What came before has landed, and what has not is asked by the next run.
    """
    dataset = total.dataset

    def ask(name: str) -> Fetched | None:
        fetched = fetch(name)
        if fetched is None:
            return None
        wanted = pl.col("market_date").is_between(due[name], reach.last)
        return Fetched(dataset, fetched.frame.filter(wanted), fetched.rejected)

    for number, histories in ask_in_batches(list(due), ask, asking):
        total += ingestion.land(Fetched.join(dataset, histories), replace(reach, partition="year"))
        ingestion.report(sentence(dataset.label, number, len(due), unit))
    if asking.stopped_by is not None:
        raise asking.stopped_by
    return total.with_failures(asking.failures)
