"""Grades: where a score stands among all earlier out-of-sample scores.

Belongs here: the market part of a score, percentiles, ranks.
Does not: the cross-sectional part (`ranking.py`), calls (`signals.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.learning.places import place_among

MINIMUM_REFERENCE_WEEKS = 104
"""Weeks of earlier out-of-sample scores below which a grade is provisional."""

MARKET_WEIGHT = 0.05
"""Size of the market part, about one standard deviation of the cross-sectional part on real history (0.05 of a rank)."""


def market_part(market: pl.DataFrame) -> pl.DataFrame:
    """The part of a score that all tokens of a day share, from the trend of the market.

    The mean of three signs: bitcoin against its 100-day and its 200-day average, and the share of tokens above their 50-day
    average rescaled to -1..1; times `MARKET_WEIGHT`. The weights are fixed, not fitted: fitted timing did not hold up out of
    sample in the shared results, while these averages did.

    Args:
        market: One row a day: market_date, btc_to_sma_100d, btc_to_sma_200d, breadth_50d (each nullable).

    Returns:
        market_date, score_market, in -MARKET_WEIGHT to MARKET_WEIGHT; an unknown sign counts 0.
    """
    signs = [
        pl.col("btc_to_sma_100d").cast(pl.Float64).sign().fill_null(0),
        pl.col("btc_to_sma_200d").cast(pl.Float64).sign().fill_null(0),
        (2 * pl.col("breadth_50d").cast(pl.Float64) - 1).fill_null(0),
    ]
    return market.select("market_date", score_market=sum(signs[1:], signs[0]) / 3 * MARKET_WEIGHT)


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
    """Percentile of a column within its day, 0-100."""
    return place_among(pl.col(column), "market_date") * 100


def grade_weeks(
    scored: pl.DataFrame, earlier: pl.DataFrame, stand_in: npt.NDArray[np.float64], *, score: str, grade: str
) -> pl.DataFrame:
    """Grade the days of several weeks among the weekly out-of-sample scores before each week.

    Args:
        scored: One row a day and token: as_of_week (the Monday after the day), market_date, token_id and the column `score`; rows
            without a score get no grade.
        earlier: Weekly scores recorded before: as_of_week, and the column `score`. Weeks that stand in `scored` as well are taken
            from there: their last day.
        stand_in: Scores that stand in for earlier ones while there are fewer than `MINIMUM_REFERENCE_WEEKS` weeks of them.
        score: Column of the scores.
        grade: Column to add.

    Returns:
        `scored` with `grade` (0-100) and is_grade_provisional.
    """
    weekly = scored.filter(pl.col("market_date") == pl.col("as_of_week") - pl.duration(days=1)).drop_nulls(score)
    own = {week: frame[score].to_numpy() for (week,), frame in weekly.partition_by("as_of_week", as_dict=True).items()}
    before = {
        week: frame[score].to_numpy()
        for (week,), frame in earlier.partition_by("as_of_week", as_dict=True).items()
        if week not in own
    }
    reference = before | own
    graded = []
    for (week,), frame in scored.partition_by("as_of_week", as_dict=True, maintain_order=True).items():
        past = [values for other, values in reference.items() if other < week]
        is_provisional = len(past) < MINIMUM_REFERENCE_WEEKS
        pool = (
            np.sort(np.concatenate([*past, stand_in] if is_provisional else past))
            if past or len(stand_in)
            else stand_in
        )
        values = frame[score].to_numpy()
        known = ~np.isnan(values.astype(np.float64))
        grades = np.full(len(values), np.nan)
        if known.any():
            grades[known] = percentile_grades(values[known], pool)
        graded.append(
            frame.with_columns(
                pl.Series(grade, grades, dtype=pl.Float64).fill_nan(None),
                is_grade_provisional=pl.lit(value=is_provisional),
            )
        )
    return pl.concat(graded)
