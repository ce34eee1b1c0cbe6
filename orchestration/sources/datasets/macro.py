"""The economy and the mood: macro series and the fear and greed index.

Belongs here: datasets that say something of the whole market. Does not: news (`news.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import Column, Dataset, Rule, number, text

_FEAR_GREED = Dataset(
    source="alternative_me",
    name="fear_greed",
    fields={
        "market_date": Column(pl.Date, "UTC day", "the day the value is stamped with"),
        "value": Column(pl.Int64, "points, 0-100", "0 = extreme fear, 100 = extreme greed"),
        "classification": Column(pl.String, "", "the provider's word for the value", nullable=True),
    },
    key=("market_date",),
    description="One row per day, for the whole market.",
    rules=(Rule("value is outside 0-100", "value < 0 OR value > 100"),),
)


IMPOSSIBLE: Final = (
    Rule(
        "value is not above zero for a rate or an index",
        "series_id IN ('DFF', 'DGS2', 'DGS10', 'VIXCLS', 'DTWEXBGS', 'WALCL', 'M2SL') AND value <= 0",
    ),
    Rule("value is negative for an amount", "series_id = 'RRPONTSYD' AND value < 0"),
    Rule(
        "value is outside what the series can be",
        "series_id IN ('DFF', 'DGS2', 'DGS10', 'T10Y2Y', 'T10YIE', 'DFII10') AND (value < -10 OR value > 30)",
    ),
)
"""Of the series that are asked for; series of imports are taken as they come."""


def _series(name: str, description: str, *, cadence_days: int) -> Dataset:
    return Dataset(
        source="fred",
        name=name,
        fields={
            "series_id": text("FRED id, e.g. DGS10"),
            "market_date": Column(pl.Date, "UTC day", "last day of the period the value describes"),
            "value": number("unit of the series", "as published last; a holiday has no row", nullable=False),
            "feed": text("which import, or fred for the provider itself; never average over feeds"),
        },
        key=("feed", "series_id", "market_date"),
        description=f"One row per feed, series and period. {description}",
        cadence_days=cadence_days,
        rules=IMPOSSIBLE,
    )


DATASETS: Final = (
    _FEAR_GREED,
    # Three datasets, because a publication lag belongs to a dataset: how late a series comes depends on its release.
    _series(
        "series_daily",
        "Series published on the next business day: policy rate, yields, curve, volatility.",
        cadence_days=3,
    ),
    _series("series_weekly", "Series published once a week: the broad dollar, balance sheets.", cadence_days=7),
    _series(
        "series_monthly",
        "Series published some weeks after the month: money, prices. Revised later, so hindsight.",
        cadence_days=31,
    ),
)
