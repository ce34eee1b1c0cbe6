"""Places: where a value stands among the known ones of its group.

Belongs here: the one definition of a percentile that ranks, grades and labels share.
Does not: what is ranked (`dataset.py`, `labels.py`, `grades.py`, `sub_grades.py`).
"""

from __future__ import annotations

import polars as pl


def place_among(value: pl.Expr, by: str) -> pl.Expr:
    """Middle of a value's place among the known values of its group, 0 to 1: (rank - 0.5) / count, equal values sharing a place.

    Args:
        value: What is ranked; null stays null and takes no place.
        by: Column of the group.
    """
    return ((value.rank("average") - 0.5) / value.count()).over(by)
