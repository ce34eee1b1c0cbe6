"""Calls: bullish, neutral or bearish over the next 14 days.

Belongs here: probabilities of the three outcomes and the choice between them.
Does not: the probabilities of a move and of its direction (`trader_model.py`).
"""

from __future__ import annotations

import polars as pl

from models_ml.learning.trader_model import TraderModel


def call_signals(predictions: pl.DataFrame, model: TraderModel) -> pl.DataFrame:
    """Probabilities and call of each row.

    The outcome is which of +-sigma * sqrt(14) a close passes first. Its probabilities are P(move) * P(up | move),
    P(move) * P(down | move) and 1 - P(move). The call is the outcome whose probability stands highest above its base rate in
    training: neutral is most frequent almost always, and a call of the most frequent outcome would say nothing.

    Args:
        predictions: as_of_week, token_id, p_move, p_up_given_move.
        model: The model that made them, for its base rates.

    Returns:
        as_of_week, token_id, signal (-1, 0, 1), p_bullish, p_neutral, p_bearish, which sum to 1.
    """
    lifts = {
        name: pl.col(f"p_{name}") / max(model.base_rates[name], 1e-6) for name in ("bullish", "neutral", "bearish")
    }
    return (
        predictions.with_columns(
            p_bullish=pl.col("p_move") * pl.col("p_up_given_move"),
            p_bearish=pl.col("p_move") * (1 - pl.col("p_up_given_move")),
            p_neutral=1 - pl.col("p_move"),
        )
        .with_columns(
            signal=pl.when((lifts["bullish"] > lifts["neutral"]) & (lifts["bullish"] > lifts["bearish"]))
            .then(1)
            .when((lifts["bearish"] > lifts["neutral"]) & (lifts["bearish"] > lifts["bullish"]))
            .then(-1)
            .otherwise(0)
            .cast(pl.Int8)
        )
        .select("as_of_week", "token_id", "signal", "p_bullish", "p_neutral", "p_bearish")
    )


def bull_bear(signals: pl.DataFrame) -> pl.DataFrame:
    """Share of bullish and bearish calls a week: as_of_week, universe ('broad'), bullish_share, bearish_share, tokens."""
    return (
        signals.group_by("as_of_week")
        .agg(
            bullish_share=(pl.col("signal") == 1).mean(),
            bearish_share=(pl.col("signal") == -1).mean(),
            tokens=pl.len().cast(pl.Int32),
        )
        .with_columns(universe=pl.lit("broad"))
        .sort("as_of_week")
    )
