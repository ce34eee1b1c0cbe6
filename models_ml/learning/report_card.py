"""The report card: what was said of each token, and what came of it.

Belongs here: outcomes of calls and grades, misses and ends of tokens included.
Does not: averages with intervals (`evaluation/`), which version of a call is scored (`orchestration/lib/outcome_weeks.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.evaluation.rank_skill import LAGGED_OUTCOME


def call_outcomes(said: pl.DataFrame, happened: pl.DataFrame) -> pl.DataFrame:
    """Outcomes of what was said of the tokens of several weeks.

    Args:
        said: as_of_week, token_id, signal (-1, 0, 1), trader_grade, and anything else that is to be kept.
        happened: Every eligible token of the weeks: as_of_week, token_id and the forward quantities of `labels.forward_returns`.

    Returns:
        `said` with outcome (-1, 0, 1: the barrier that was passed first; null where unknown), is_right (the outcome is the one called),
        return_14d (fraction, from the close a day after the call), excess_over_market (less the mean of the week's universe),
        excess_over_bitcoin, is_in_worst_decile (among the universe of the week), has_ended (the price stopped); null where unknown.
    """
    value = pl.col(LAGGED_OUTCOME)
    bitcoin = happened.filter(pl.col("token_id") == "bitcoin").select("as_of_week", bitcoin_return=LAGGED_OUTCOME)
    facts = happened.join(bitcoin, on="as_of_week", how="left").select(
        "as_of_week",
        "token_id",
        outcome=pl.col("forward_barrier").cast(pl.Int8),
        return_14d=value,
        excess_over_market=value - value.mean().over("as_of_week"),
        excess_over_bitcoin=value - pl.col("bitcoin_return"),
        is_in_worst_decile=value.rank("average").over("as_of_week") <= value.count().over("as_of_week") / 10,
        has_ended=pl.col("forward_has_ended_14d"),
    )
    return said.join(facts, on=["as_of_week", "token_id"], how="left", maintain_order="left").with_columns(
        is_right=pl.col("signal") == pl.col("outcome")
    )
