"""Exponential means whose memory ends, so that days computed anew equal those of a full computation.

Belongs here: the mean and how far it remembers.
Does not: the features that use it (one module a family).
"""

from __future__ import annotations

import math

import polars as pl

FORGOTTEN = 1e-9
"""Weight left of all days before the memory; they are cut off there."""


def decay_of_span(days: int) -> float:
    """What a day's weight keeps a day later, in an exponential mean as TA-Lib counts its period."""
    return (days - 1) / (days + 1)


def decay_of_wilder(days: int) -> float:
    """The same for Wilder's smoothing."""
    return (days - 1) / days


def memory_days(decay: float) -> int:
    """Days after which the weight of all older ones is `FORGOTTEN`."""
    return math.ceil(math.log(FORGOTTEN) / math.log(decay))


def exponential_mean(values: pl.Expr, decay: float) -> pl.Expr:
    """Mean of the known values of the last `memory_days`, each weighted `decay` to the power of its age.

    Null where the known days carry less than half of the weight. No value is a seed: the mean of a token's first days is that of
    the days after its first, and TA-Lib, which starts from a simple mean, agrees once that start is forgotten.
    """
    known = _weighted_sum(values.is_not_null().cast(pl.Float64), decay)
    return pl.when(known > 0.5).then(_weighted_sum(values.fill_null(0.0), decay) / known)


def _weighted_sum(filled: pl.Expr, decay: float) -> pl.Expr:
    """Sum of (1 - decay) * decay^k * value[t-k] over the memory; a recursion less what it had summed up before the memory began."""
    # polars gives the first value full weight, as a seed. Here it is a zero, which weighs nothing.
    everything = (filled * pl.col("is_after_first")).ewm_mean(alpha=1 - decay, adjust=False)
    days = memory_days(decay)
    return everything - decay**days * everything.shift(days).fill_null(0.0)
