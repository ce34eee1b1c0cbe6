"""Tilts: weights leaned towards constituents that stand high in features of the catalogue.

Belongs here: a constituent's place among the others, and the factor that follows from it.
Does not: the weights that are tilted (`weighting.py`), the section as a user writes it (`feature_rules.py`).
"""

import numpy as np
import polars as pl

from models_ml.indices.feature_rules import Tilt, feature_column

MIDDLE = 0.5  # place of a constituent of which a feature is not known


def tilt_factors(members: pl.DataFrame, tilt: Tilt) -> pl.Series:
    """What each weight is multiplied by: 1 + strength x (2 x place - 1).

    Args:
        members: One row per constituent with the columns of the tilt's features (`feature_column`), nulls where not known.
        tilt: The section of the definition.

    Returns:
        Factors in (0, 2) in the order of `members`, 1 for a constituent in the middle. Their mean is 1.

    Source: percentile ranks as (rank - 1/2) / n (Hazen 1914, Trans. ASCE 77), equal values sharing their mean rank, so that no
    weight becomes zero; multiplicative tilts as in FTSE Russell, *Guide to the Calculation of the Factor Index Series*.

    Example:
        >>> rows = pl.DataFrame({"feature:tvl_growth_30d": [0.3, None, 0.1]})
        >>> tilt_factors(rows, Tilt(features=("tvl_growth_30d",), strength=1)).to_list()
        [1.5, 1.0, 0.5]
    """
    places = [_place(feature_column(feature), tilt).alias(feature) for feature in tilt.features]
    mean = members.select(places).mean_horizontal()
    return (1 + tilt.strength * (2 * mean - 1)).alias("factor")


def has_tilt(members: pl.DataFrame, tilt: Tilt) -> bool:
    """Whether any of the features is known of any constituent; else the tilted weights would be the untilted ones under another name."""
    return members.is_empty() or any(members[feature_column(feature)].is_not_null().any() for feature in tilt.features)


def tilted(shares: pl.Series, members: pl.DataFrame, tilt: Tilt | None) -> pl.Series:
    """Fractions that sum to 1, multiplied by their factors and scaled to sum to 1 again; as they are without a tilt."""
    if tilt is None:
        return shares
    leaned = shares.to_numpy() * tilt_factors(members, tilt).to_numpy()
    return pl.Series("weight", leaned / np.sum(leaned))


def _place(column: str, tilt: Tilt) -> pl.Expr:
    rank = pl.col(column).rank("average", descending=tilt.order == "ascending")
    return ((rank - MIDDLE) / pl.col(column).count()).fill_null(MIDDLE)
