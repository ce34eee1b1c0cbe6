"""Landing of days long past in a daily load, as when a token is followed from today on and its history comes at once.

Belongs here: the choice of partition. Does not: landing itself (`ingestion.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import polars as pl

from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.sources.validation import Fetched

RECENT: Final = timedelta(days=30)


def land_by_age(ingestion: Ingestion, fetched: Fetched, reach: Reach, *, is_all_news: bool = False) -> Ingested:
    """Land recent days by day and older ones by calendar year; three years would be a thousand files otherwise."""
    is_old = pl.col("market_date") < reach.last - RECENT
    old = fetched.frame.filter(is_old)
    if reach.partition == "year" or old.is_empty():
        return ingestion.land(fetched, reach, is_all_news=is_all_news)
    by_year = replace(reach, partition="year")
    landed = ingestion.land(Fetched(fetched.dataset, old), by_year, is_all_news=is_all_news)
    recent = Fetched(fetched.dataset, fetched.frame.filter(~is_old), fetched.rejected)
    return landed + ingestion.land(recent, reach, is_all_news=is_all_news)
