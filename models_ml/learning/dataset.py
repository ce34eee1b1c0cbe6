"""The weekly frame a model reads: cross-sectional ranks of the features, and the state of the market.

Belongs here: which columns a model may see and how they are scaled.
Does not: labels (`labels.py`), training (`trader_model.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.learning.labels import FORWARD_PREFIX

MINIMUM_TOKENS = 50
"""Weeks with fewer eligible tokens neither train nor count: a rank among ten says little."""

MARKET_COLUMNS = (
    "btc_return_7d",
    "btc_return_30d",
    "btc_return_90d",
    "btc_volatility_30d",
    "btc_drawdown_365d",
    "btc_to_sma_100d",
    "btc_to_sma_200d",
    "breadth_50d",
    "median_return_7d",
    "median_return_30d",
    "dispersion_7d",
    "median_volatility_30d",
    "median_volume_surge",
    "fear_greed",
)

VOLATILITY_COLUMNS = (
    "btc_volatility_30d",
    "dispersion_7d",
    "median_volatility_30d",
    "median_volume_surge",
    "fear_greed",
)
"""Of the market columns those that say how much the market moves, whichever way."""

RANK_COLUMNS = tuple(f"rank_{name}" for name in MODEL_INPUT_NAMES)

MODEL_COLUMNS = (*RANK_COLUMNS, *MARKET_COLUMNS)


class LeakError(AssertionError):
    """A column that looks ahead stands among the features."""


def refuse_forward_columns(names: Iterable[str]) -> None:
    """Refuse columns that carry the prefix of forward quantities.

    Raises:
        LeakError: At least one does.
    """
    leaks = [name for name in names if FORWARD_PREFIX in name]
    if leaks:
        raise LeakError(
            f"{leaks} look ahead and cannot stand among the features; drop them from the frame, or rename the feature"
        )


def model_frame(weekly: pl.DataFrame) -> pl.DataFrame:
    """Ranks within each week and market columns, for the tokens of the broad universe.

    Args:
        weekly: One row a week and eligible token: as_of_week, token_id, the catalogue's model inputs, `MARKET_COLUMNS`. Further
            columns are dropped.

    Returns:
        as_of_week, token_id and `MODEL_COLUMNS` as Float32, by week and token. Ranks run from 0 to 1 among the week's known
        values; an unknown value stays null, which the trees treat as a branch of its own.

    Raises:
        LeakError: A column of the frame or of the model carries the prefix of forward quantities.
    """
    refuse_forward_columns([*weekly.columns, *MODEL_COLUMNS])
    ranks = [
        ((pl.col(name).rank("average") - 0.5) / pl.col(name).count())
        .over("as_of_week")
        .cast(pl.Float32)
        .alias(f"rank_{name}")
        for name in MODEL_INPUT_NAMES
    ]
    market = [pl.col(name).cast(pl.Float32) for name in MARKET_COLUMNS]
    return weekly.select("as_of_week", "token_id", *ranks, *market).sort("as_of_week", "token_id")
