"""Grades: where a score stands among all earlier out-of-sample scores.

Belongs here: the market part of a score, percentiles, ranks.
Does not: the cross-sectional part (`trader_model.py`), calls (`signals.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

MINIMUM_REFERENCE_WEEKS = 104
"""Weeks of earlier out-of-sample scores below which a grade is provisional."""

MARKET_WEIGHT = 0.05
"""Size of the market part, about one standard deviation of the cross-sectional part on real history (0.05 of a rank)."""


def market_part(market: pl.DataFrame) -> pl.DataFrame:
    """The part of a score that all tokens of a week share, from the trend of the market.

    The mean of three signs: bitcoin against its 100-day and its 200-day average, and the share of tokens above their 50-day
    average rescaled to -1..1; times `MARKET_WEIGHT`. The weights are fixed, not fitted: fitted timing did not hold up out of
    sample in the shared results, while these averages did.

    Args:
        market: One row a week: as_of_week, btc_to_sma_100d, btc_to_sma_200d, breadth_50d (each nullable).

    Returns:
        as_of_week, score_market, in -MARKET_WEIGHT to MARKET_WEIGHT; an unknown sign counts 0.
    """
    signs = [
        pl.col("btc_to_sma_100d").cast(pl.Float64).sign().fill_null(0),
        pl.col("btc_to_sma_200d").cast(pl.Float64).sign().fill_null(0),
        (2 * pl.col("breadth_50d").cast(pl.Float64) - 1).fill_null(0),
    ]
    return market.select("as_of_week", score_market=sum(signs[1:], signs[0]) / 3 * MARKET_WEIGHT)


def percentile_grades(scores: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the reference scores below each score, ties counted half, times 100.

    Args:
        scores: Scores of one week.
        reference: Earlier out-of-sample scores, sorted ascending, at least one.

    Returns:
        Grades from 0 to 100, in the order of `scores`.

    Raises:
        ValueError: The reference is empty, so no percentile exists.
    """
    if len(reference) == 0:
        raise ValueError("a grade needs earlier scores to stand among, and there are none; train a first model first")
    below = np.searchsorted(reference, scores, side="left")
    up_to = np.searchsorted(reference, scores, side="right")
    return np.asarray((below + up_to) / 2 / len(reference) * 100, dtype=np.float64)


def cross_sectional_rank(column: str) -> pl.Expr:
    """Percentile of a column within its week, 0-100."""
    return ((pl.col(column).rank("average") - 0.5) / pl.col(column).count()).over("as_of_week") * 100
