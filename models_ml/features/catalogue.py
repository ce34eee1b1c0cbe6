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
    tokenomics,
    unlocks,
    volatility,
)
from models_ml.features.feature import Feature

CATALOGUE: tuple[Feature, ...] = (
    *momentum.FEATURES,
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
    *holders.FEATURES,
    *unlocks.FEATURES,
)

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)

MODEL_INPUT_NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE if feature.is_model_input)
"""What the models read; `coverage` is the share of these that is known."""

LONGEST_LOOK_BACK_DAYS: int = max(feature.span_days for feature in CATALOGUE)


def catalogue_table() -> pl.DataFrame:
    """One row a feature: name, family, unit, formula, look-back and lag in days, sources, literature, whether models read it."""
    return pl.DataFrame(
        {
            "feature": [feature.name for feature in CATALOGUE],
            "family": [feature.family for feature in CATALOGUE],
            "unit": [feature.unit for feature in CATALOGUE],
            "formula": [feature.formula for feature in CATALOGUE],
            "look_back_days": [feature.look_back_days for feature in CATALOGUE],
            "lag_days": [feature.lag_days for feature in CATALOGUE],
            "sources": [", ".join(feature.sources) for feature in CATALOGUE],
            "literature": [feature.source for feature in CATALOGUE],
            "is_model_input": [feature.is_model_input for feature in CATALOGUE],
        }
    )
