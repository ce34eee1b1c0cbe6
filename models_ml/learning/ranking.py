"""The ranking heads: boosters that order tokens by what they will return, 14 days ahead (trader) and 90 days ahead (investor).

Belongs here: what each head learns from, training, scores.
Does not: which rows may be used (`walk_forward.py`), grades (`grades.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from models_ml.learning.boosters import CAREFUL_PARAMETERS, apply, boost
from models_ml.learning.calendar import INVESTOR_HORIZON_DAYS, TRADER_HORIZON_DAYS
from models_ml.learning.dataset import MODEL_COLUMNS, RANK_COLUMNS, keys_of, refuse_forward_columns
from models_ml.learning.frozen_model import FrozenModel
from models_ml.learning.guard import refuse_leaks
from models_ml.learning.labels import centred_rank
from models_ml.learning.training_profile import data_hash


@dataclass(frozen=True)
class RankingHead:
    """One ranking head.

    Attributes:
        name: Its name in the registry and in model versions.
        horizon_days: How far its main label looks ahead.
        main_label: Forward column that a row must have to be trained on; it stands in for the others where they are unknown.
        labels: Forward columns by booster: each booster learns the mean of their ranks within the week, the score is the mean of
            the boosters (shared results: a mixture beats each alone, inside noise).
        columns: What the boosters see.
        rounds: Trees of each booster.
        parameters: What differs from the common parameters.
    """

    name: str
    horizon_days: int
    main_label: str
    labels: Mapping[str, tuple[str, ...]]
    columns: tuple[str, ...]
    rounds: int
    parameters: Mapping[str, Any] = field(default_factory=dict)


TRADER = RankingHead(
    name="trader",
    horizon_days=TRADER_HORIZON_DAYS,
    main_label="forward_return_14d",
    labels={
        "return_14d": ("forward_return_14d",),
        "residual_14d": ("forward_residual_14d",),
        "return_7d_14d": ("forward_return_14d", "forward_return_7d"),
    },
    columns=MODEL_COLUMNS,
    rounds=200,
)

INVESTOR = RankingHead(
    name="investor",
    horizon_days=INVESTOR_HORIZON_DAYS,
    main_label="forward_return_90d",
    labels={"return_90d": ("forward_return_90d",), "return_30d": ("forward_return_30d",)},
    columns=RANK_COLUMNS,
    rounds=100,
    parameters=CAREFUL_PARAMETERS,
)


def train_ranking(head: RankingHead, frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> FrozenModel:
    """Train a head on rows that the caller has already purged.

    Args:
        head: What to train.
        frame: One row a week and token: as_of_week, token_id, the head's columns.
        labels: The forward quantities of the same rows (`labels.forward_returns`).
        refit: Refit date the model is for.

    Returns:
        The frozen model.

    Raises:
        LeakError: The frame has a forward column, which the join would take for the label of the same name; or a column has seen the
            next day (`guard.py`).
    """
    refuse_forward_columns(frame.columns)
    refuse_leaks(frame, labels, columns=head.columns, outcome=head.main_label, lagged_outcome=f"{head.main_label}_lag1")
    return fit_ranking(head, frame, labels, refit=refit)


def fit_ranking(head: RankingHead, frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> FrozenModel:
    """`train_ranking` without its guard, for the many trials of a search over rows that are guarded once."""
    joined = (
        frame.join(labels, on=["as_of_week", "token_id"], how="inner", maintain_order="left")
        .filter(pl.col(head.main_label).is_not_null())
        .with_columns(main_rank=centred_rank(head.main_label))
        .sort("as_of_week", "token_id")
    )
    ranks = {}
    for booster, columns in head.labels.items():
        # Where bitcoin or the shorter window has no price, the main rank stands in: LightGBM would take a null for the middle.
        parts = [centred_rank(column).fill_null(pl.col("main_rank")) for column in columns]
        label = joined.select(label=sum(parts[1:], parts[0]) / len(parts))["label"]
        ranks[booster] = label.to_numpy().astype(np.float64)
    boosters = boost(
        joined,
        ranks,
        columns=head.columns,
        parameters={**head.parameters, "objective": "regression"},
        rounds=head.rounds,
    )
    labelled = joined.with_columns(pl.Series(f"label_{name}", label) for name, label in ranks.items())
    return FrozenModel(
        head=head.name,
        refit=refit,
        boosters=boosters,
        columns=head.columns,
        training_weeks=(joined["as_of_week"].min(), joined["as_of_week"].max()),  # type: ignore[arg-type]  # dates by schema
        training_rows=joined.height,
        data_hash=data_hash(labelled, [*head.columns, *(f"label_{name}" for name in ranks)]),
    )


def predict_ranking(model: FrozenModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Scores of a frame.

    Args:
        model: The model in force.
        frame: One row a day and token with the model's columns.

    Returns:
        The frame's keys and score_cross_section (expected rank, -0.5 to 0.5), in the frame's order. Every row gets a score: a
        missing feature is a branch of the trees, not a reason to pass.

    Raises:
        ValueError: The frame lacks columns of the model, because the feature catalogue changed after its refit.
    """
    model.refuse_missing_columns(frame)
    scores = np.mean([apply(text, frame) for _, text in sorted(model.boosters.items())], axis=0)
    return frame.select(keys_of(frame)).with_columns(score_cross_section=pl.Series(scores, dtype=pl.Float64))
