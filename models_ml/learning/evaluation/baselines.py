"""Scores that need no model, to stand beside every figure of one: momentum, reversal, low volatility, size, and chance.

Belongs here: baseline scores in the shape of a model's, and labels dealt at random.
Does not: measuring them (whatever takes a panel with a score takes theirs).
"""

from __future__ import annotations

import numpy as np
import polars as pl

BASELINE_SCORES = {
    "momentum_14d": ("return_14d", 1),
    "reversal_7d": ("return_7d", -1),
    "low_volatility": ("volatility_30d", -1),
    "low_idiosyncratic_volatility": ("idiosyncratic_volatility_30d", -1),
    "large_size": ("log_market_cap", 1),
}
"""Baselines by the column they sort by and whether its high (1) or its low (-1) values are preferred."""

PERMUTED = "permuted"


def baseline_scores(panel: pl.DataFrame, *, seed: int, score: str = "score") -> pl.DataFrame:
    """Scores of every baseline for the rows of a panel.

    Only rows with a score of the model are scored, so that all are judged on the same tokens.

    Args:
        panel: One row a week and token: as_of_week, token_id, the model's score, and the columns of `BASELINE_SCORES` (nullable).
        seed: Of the permuted scores.
        score: Column with the model's score, which 'permuted' deals to other tokens of the week.

    Returns:
        as_of_week, token_id, model (the baseline's name), score (null where its column is), by model, week and token.
    """
    scored = (
        panel.with_columns(pl.col(score).cast(pl.Float64).fill_nan(None))
        .drop_nulls(score)
        .sort("as_of_week", "token_id")
    )
    sorts = [
        scored.select("as_of_week", "token_id", model=pl.lit(name), score=pl.col(column).cast(pl.Float64) * sign)
        for name, (column, sign) in BASELINE_SCORES.items()
    ]
    dealt = permuted_within_weeks(scored.select("as_of_week", "token_id", score=score), seed)
    by_chance = dealt.select("as_of_week", "token_id", model=pl.lit(PERMUTED), score="score")
    return pl.concat([*sorts, by_chance]).sort("model", "as_of_week", "token_id")


def permuted_within_weeks(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """All columns but the keys dealt to other tokens of the same week, whole rows at a time.

    Of labels it makes a history in which nothing predicts anything, with the same returns in every week: a whole walk-forward on it
    has to find no skill (one alone may reach a t of 3 by luck; judge by the mean of twenty).

    Args:
        frame: as_of_week, token_id, and anything else.
        seed: Equal seeds deal equally, whatever the order of the rows.
    """
    generator = np.random.default_rng(seed)
    ordered = frame.sort("as_of_week", "token_id")
    sizes = ordered.group_by("as_of_week", maintain_order=True).len()["len"].to_numpy().astype(np.int64)
    starts = np.cumsum(sizes) - sizes
    order = [start + generator.permutation(size) for start, size in zip(starts, sizes, strict=True)]
    positions = np.concatenate(order).tolist() if order else []
    values = ordered.drop("as_of_week", "token_id")
    return ordered.select("as_of_week", "token_id").hstack(values[positions]).select(frame.columns)
