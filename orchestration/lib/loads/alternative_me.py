"""Loads of alternative.me: the fear and greed index.

Belongs here: from which day it is asked. Does not: its wire format (`sources/alternative_me.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import REREAD_DAYS, Ingested, Ingestion, Reach
from orchestration.lib.loads.step import Step
from orchestration.sources.alternative_me import fetch_fear_greed
from orchestration.sources.datasets import find_dataset
from orchestration.sources.validation import Fetched

FEAR_GREED = find_dataset("alternative_me", "fear_greed")


def load_fear_greed(ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """The fear and greed index from a few days before its newest landed day."""
    newest = ingestion.store.newest_market_date(FEAR_GREED)
    days = 0 if newest is None else (reach.now.date() - newest).days + REREAD_DAYS + 1
    fetched = fetch_fear_greed(
        connections.http("alternative_me"), now=reach.now, base_url=connections.base_url("alternative_me"), days=days
    )
    in_reach = pl.col("market_date").is_between(reach.first, reach.last)
    return [ingestion.land(Fetched(FEAR_GREED, fetched.frame.filter(in_reach), fetched.rejected), reach)]


STEPS = (
    Step(name="alternative_me_fear_greed", provider="alternative_me", load=load_fear_greed, datasets=(FEAR_GREED,)),
)
