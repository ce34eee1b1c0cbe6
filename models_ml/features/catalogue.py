"""The catalogue: every feature once, and its entries as a table.

Belongs here: the list of families in the order of the mart's columns. A new family is added to `CATALOGUE` and nowhere else.
Does not: formulas (the family modules).
"""

from __future__ import annotations

import polars as pl

from models_ml.features import (
    community,
    defi,
    derivatives,
    developers,
    holders,
    liquidity,
    momentum,
    onchain,
    relative_strength,
    risk,
    sentiment,
    tokenomics,
    trend,
    unlocks,
    volatility,
)
from models_ml.features.feature import Feature
from models_ml.features.market import MARKET_FEATURES, MarketFeature

CATALOGUE: tuple[Feature, ...] = (
    *momentum.FEATURES,
    *trend.FEATURES,
    *volatility.FEATURES,
    *risk.FEATURES,
    *liquidity.FEATURES,
    *relative_strength.FEATURES,
    *tokenomics.FEATURES,
    *onchain.FEATURES,
    *derivatives.FEATURES,
    *defi.FEATURES,
    *developers.FEATURES,
    *community.FEATURES,
    *sentiment.FEATURES,
    *holders.FEATURES,
    *unlocks.FEATURES,
)

PRICE_FEATURES: tuple[Feature, ...] = tuple(feature for feature in CATALOGUE if feature.reads_prices_alone)
"""Features of every token and day. What is read for the first time of other sources does not touch them."""

FACT_FEATURES: tuple[Feature, ...] = tuple(feature for feature in CATALOGUE if not feature.reads_prices_alone)
"""Features of the tokens that on-chain metrics and other sources know."""

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)

MODEL_INPUT_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE if feature.is_model_input)
"""What the models read; `coverage` is the share of these that is known."""

LONGEST_LOOK_BACK_DAYS: int = max(feature.span_days for feature in CATALOGUE)


def catalogue_table() -> pl.DataFrame:
    """One row a feature of a token, then one a feature of the market, with all their users need to know."""
    entries: list[tuple[str, Feature | MarketFeature]] = [
        *(("token", entry) for entry in CATALOGUE),
        *(("market", entry) for entry in MARKET_FEATURES),
    ]
    return pl.DataFrame(
        {
            "feature": [entry.name for _, entry in entries],
            "grain": [grain for grain, _ in entries],
            "family": [entry.family for _, entry in entries],
            "unit": [entry.unit for _, entry in entries],
            "formula": [entry.formula for _, entry in entries],
            "look_back_days": [entry.look_back_days for _, entry in entries],
            "lag_days": [entry.lag_days for _, entry in entries],
            "sources": [", ".join(entry.sources) for _, entry in entries],
            "null_policy": [entry.nulls for _, entry in entries],
            "literature": [entry.source for _, entry in entries],
            "is_model_input": [entry.is_model_input for _, entry in entries],
        }
    )
