"""On-chain metrics of tokens.

Belongs here: datasets of Coin Metrics. Does not: use of DeFi protocols (`defi.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import MARKET_DATE, Column, Dataset, Rule

_ASSET_METRICS = Dataset(
    source="coinmetrics",
    name="asset_metrics",
    fields={
        "asset": Column(pl.String, "", "Coin Metrics ticker, lower case"),
        "market_date": MARKET_DATE,
        "metric": Column(pl.String, "", "Coin Metrics metric name, e.g. AdrActCnt"),
        "value": Column(pl.Float64, "unit of the metric", "measured value; a missing measurement has no row, never 0"),
        "status": Column(pl.String, "", "flash = provisional, reviewed; null where not stated", nullable=True),
        "feed": Column(pl.String, "", "which import, or community for the live API; never sum over feeds"),
    },
    key=("feed", "asset", "market_date", "metric"),
    description="One row per feed, token, day and metric.",
    rules=(
        Rule("value is negative for a metric that cannot be", "value < 0 AND substr(metric, 1, 3) != 'ROI'"),
        Rule(
            "value is zero for a price or a market cap",
            "value = 0 AND substr(metric, 1, 3) IN ('Pri', 'Cap', 'Ref')",
        ),
    ),
)


DATASETS: Final = (_ASSET_METRICS,)
