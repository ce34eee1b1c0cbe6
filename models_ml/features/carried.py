"""Values that are read now and then: how long a reading stands, and growth between two readings.

Belongs here: expressions over sparse columns that several families share.
Does not: the features (one module a family), carrying within the warehouse (dbt).
"""

from __future__ import annotations

import polars as pl

from models_ml.features.feature import enough

DAY = pl.col("market_date").to_physical()


def newest_reading(column: str, *, carry_days: int) -> pl.Expr:
    """The newest value on a day, null where it is more than `carry_days` old."""
    return pl.col(column).forward_fill(limit=carry_days)


def growth_between_readings(column: str, *, days: int, carry_days: int) -> pl.Expr:
    """Log growth per `days` between the reading in force and the one that was in force `days` before.

    Readings come when a provider was asked, not every `days`: their own distance counts. Null where both are one reading, where
    either is more than `carry_days` old, and where a value is zero.
    """
    value = pl.when(pl.col(column) > 0).then(pl.col(column))
    read_on = pl.when(value.is_not_null()).then(DAY).forward_fill(limit=carry_days)
    newest = value.forward_fill(limit=carry_days)
    distance = read_on - read_on.shift(days)
    return pl.when(distance > 0).then((newest / newest.shift(days)).log() * days / distance)


def mean_of_days(column: str, window_days: int, *, least: int | None = None) -> pl.Expr:
    """Mean of the known days of a window; null where there are fewer than `least` (default: half of them, at least five)."""
    return pl.col(column).rolling_mean(window_days, min_samples=enough(window_days) if least is None else least)
