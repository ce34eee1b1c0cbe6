"""The calls head: how likely a token moves, and how likely a move is up, 14 days ahead.

Belongs here: what the two boosters see, training, probabilities.
Does not: the choice between bullish, neutral and bearish (`signals.py`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from models_ml.learning.boosters import CAREFUL_PARAMETERS, apply, boost
from models_ml.learning.dataset import RANK_COLUMNS, RATIO_COLUMNS, keys_of, refuse_forward_columns
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.training_profile import data_hash

CALLS = "calls"
"""Name of the head in the registry and in model versions."""

CALL_COLUMNS = {"move": (*RANK_COLUMNS, *RATIO_COLUMNS), "up_given_move": RANK_COLUMNS}
"""What the two boosters see. Neither sees the state of the market as such: it has one value a week, a few hundred in all, and with it the
models learn single weeks by heart and call whole markets wrongly. Whether a token moves depends on how its volatility stands to its own
past and to bitcoin's; where it goes is left to its ranks. Brier scores of 2020-01 to 2024-06 on real history, out of sample: 0.597 base
rates, 0.591 with all market columns, 0.576 with the market's volatility alone, 0.565 with the ratios."""

ROUNDS = {"move": 100, "up_given_move": 100}


def train_moves(frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> FrozenModel:
    """Train both boosters on rows that the caller has already purged.

    Args:
        frame: One row a week and token: as_of_week, token_id, the columns of `CALL_COLUMNS`.
        labels: The forward quantities of the same rows (`labels.forward_returns`).
        refit: Refit date the model is for.

    Returns:
        The frozen model, with the base rates of bullish, neutral and bearish outcomes among its constants.

    Raises:
        LeakError: The frame has a forward column.
    """
    refuse_forward_columns(frame.columns)
    joined = (
        frame.join(
            labels.select("as_of_week", "token_id", "forward_barrier"),
            on=["as_of_week", "token_id"],
            how="inner",
            maintain_order="left",
        )
        .filter(pl.col("forward_barrier").is_not_null())
        .sort("as_of_week", "token_id")
    )
    outcome = joined["forward_barrier"].to_numpy()
    moved = outcome != 0
    chosen = {"move": (joined, moved), "up_given_move": (joined.filter(pl.Series(moved)), outcome[moved] > 0)}
    boosters: dict[str, str] = {}
    for name, (rows, label) in chosen.items():
        boosters |= boost(
            rows,
            {name: label.astype(np.float64)},
            columns=CALL_COLUMNS[name],
            parameters={**CAREFUL_PARAMETERS, "objective": "binary"},
            rounds=ROUNDS[name],
        )
    total = max(joined.height, 1)
    return FrozenModel(
        head=CALLS,
        refit=refit,
        boosters=boosters,
        columns=CALL_COLUMNS["move"],
        training_weeks=(joined["as_of_week"].min(), joined["as_of_week"].max()),  # type: ignore[arg-type]  # dates by schema
        training_rows=joined.height,
        constants={
            "bullish": float((outcome > 0).sum() / total),
            "neutral": float((outcome == 0).sum() / total),
            "bearish": float((outcome < 0).sum() / total),
        },
        data_hash=data_hash(joined, [*CALL_COLUMNS["move"], "forward_barrier"]),
    )


def predict_moves(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Probabilities of a frame: its keys, p_move and p_up_given_move (0-1), in the frame's order.

    Raises:
        ValueError: The frame lacks columns of the model, because the feature catalogue changed after its refit.
    """
    model.refuse_missing_columns(frame)
    return frame.select(keys_of(frame)).with_columns(
        p_move=pl.Series(apply(model.boosters["move"], frame), dtype=pl.Float64),
        p_up_given_move=pl.Series(apply(model.boosters["up_given_move"], frame), dtype=pl.Float64),
    )
