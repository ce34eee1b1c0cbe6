"""The trader model: LightGBM boosters that rank tokens 14 days ahead and call their moves.

Belongs here: parameters, training, prediction, and the model as text (LightGBM's own format; never pickle).
Does not: which rows may be used (`calendar.py`), grades (`grades.py`), calls (`signals.py`), files (the registry).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.learning.dataset import MODEL_COLUMNS, RANK_COLUMNS, VOLATILITY_COLUMNS, refuse_forward_columns
from models_ml.learning.labels import centred_rank

Floats = npt.NDArray[np.float64]

RANK_LABELS = ("return_14d", "residual_14d", "return_7d_14d")
"""One booster each; the score is their mean (shared results: a mixture beats each alone, inside noise)."""

RANK_ROUNDS = 200
CALL_ROUNDS = 100

PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.045,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,  # ranks need no finer bins; half the time of 255
    "seed": 7,
    # The same inputs give byte-identical trees, whatever the number of threads.
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}


CALL_PARAMETERS: dict[str, Any] = {
    **PARAMETERS,
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 400,
    "lambda_l2": 10.0,
}

CALL_COLUMNS = {"move": (*RANK_COLUMNS, *VOLATILITY_COLUMNS), "up_given_move": RANK_COLUMNS}
"""What the call models see. The state of the market has one value a week, so a few hundred in all: with all of it the models learn
single weeks by heart and call whole markets wrongly (Brier score 0.591, with these columns 0.573, base rates 0.603; real history
2020-01 to 2024-06). Whether a token moves depends on the market's volatility; where it goes is left to its ranks."""


@dataclass(frozen=True)
class TraderModel:
    """A frozen model: booster texts and what they were trained on.

    Attributes:
        refit: Refit date, a Monday.
        boosters: LightGBM model text by name: the rank labels, `move` and `up_given_move`.
        columns: Model columns, in the order the boosters expect.
        training_weeks: First and last week trained on.
        training_rows: Rows trained on.
        base_rates: Share of bullish, neutral and bearish outcomes in training.
    """

    refit: date
    boosters: dict[str, str]
    columns: tuple[str, ...]
    training_weeks: tuple[date, date]
    training_rows: int
    base_rates: dict[str, float]

    @property
    def version(self) -> str:
        """`trader-<refit>-<hash>`: the hash covers trees, columns and base rates, so equal versions predict equally."""
        content = json.dumps([sorted(self.boosters.items()), self.columns, sorted(self.base_rates.items())])
        return f"trader-{self.refit.isoformat()}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    def card(self) -> dict[str, Any]:
        """Everything but the trees, for the registry and the UI."""
        return {
            "version": self.version,
            "refit": self.refit.isoformat(),
            "columns": list(self.columns),
            "training_weeks": [week.isoformat() for week in self.training_weeks],
            "training_rows": self.training_rows,
            "base_rates": self.base_rates,
            "parameters": PARAMETERS,
            "boosters": sorted(self.boosters),
        }


def train(frame: pl.DataFrame, labels: pl.DataFrame, *, refit: date) -> TraderModel:
    """Train on rows that the caller has already purged.

    Args:
        frame: One row a week and token: as_of_week, token_id, `MODEL_COLUMNS`.
        labels: The forward quantities of the same rows (`labels.forward_returns`).
        refit: Refit date the model is for.

    Returns:
        The frozen model.

    Raises:
        LeakError: The frame has a forward column, which the join would take for the label of the same name.
    """
    refuse_forward_columns(frame.columns)
    joined = (
        frame.join(labels, on=["as_of_week", "token_id"], how="inner", maintain_order="left")
        .filter(pl.col("forward_return_14d").is_not_null())
        .with_columns(label_return_14d=centred_rank("forward_return_14d"))
        # Where bitcoin or the seventh day has no price, the 14-day rank stands in: LightGBM would take a null for the middle.
        .with_columns(
            label_residual_14d=centred_rank("forward_residual_14d").fill_null(pl.col("label_return_14d")),
            label_return_7d_14d=(
                pl.col("label_return_14d") + centred_rank("forward_return_7d").fill_null(pl.col("label_return_14d"))
            )
            / 2,
        )
        .sort("as_of_week", "token_id")
    )
    ranks = {label: joined[f"label_{label}"].to_numpy().astype(np.float64) for label in RANK_LABELS}
    outcome = joined["forward_barrier"].fill_null(0).to_numpy()
    has_outcome = joined["forward_barrier"].is_not_null().to_numpy()
    moved = (outcome != 0) & has_outcome
    outcomes = {
        "move": (has_outcome, moved.astype(np.float64)),
        "up_given_move": (moved, (outcome > 0).astype(np.float64)),
    }
    boosters = _boost(
        joined, ranks, columns=MODEL_COLUMNS, parameters={**PARAMETERS, "objective": "regression"}, rounds=RANK_ROUNDS
    )
    for name, (chosen, label) in outcomes.items():
        boosters |= _boost(
            joined.filter(pl.Series(chosen)),
            {name: label[chosen]},
            columns=CALL_COLUMNS[name],
            parameters={**CALL_PARAMETERS, "objective": "binary"},
            rounds=CALL_ROUNDS,
        )
    total = max(int(has_outcome.sum()), 1)
    return TraderModel(
        refit=refit,
        boosters=boosters,
        columns=MODEL_COLUMNS,
        training_weeks=(joined["as_of_week"].min(), joined["as_of_week"].max()),  # type: ignore[arg-type]  # dates by schema
        training_rows=joined.height,
        base_rates={
            "bullish": float((outcome[has_outcome] > 0).sum() / total),
            "neutral": float((outcome[has_outcome] == 0).sum() / total),
            "bearish": float((outcome[has_outcome] < 0).sum() / total),
        },
    )


def predict(model: TraderModel, frame: pl.DataFrame) -> pl.DataFrame:
    """Scores and move probabilities of a frame.

    Args:
        model: The model in force.
        frame: One row a week and token with the model's columns.

    Returns:
        as_of_week, token_id, score_cross_section (expected rank, -0.5 to 0.5), p_move and p_up_given_move (0-1), in the
        frame's order. Every row gets a score: a missing feature is a branch of the trees, not a reason to pass.

    Raises:
        ValueError: The frame lacks columns of the model, because the feature catalogue changed after its refit.
    """
    missing = [name for name in model.columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"model {model.version} needs the columns {missing}, which the feature catalogue no longer has; keep them until the "
            "next refit, or run make rebuild for the weeks it scores"
        )
    ranks = np.mean([_apply(model.boosters[label], frame) for label in RANK_LABELS], axis=0)
    return frame.select("as_of_week", "token_id").with_columns(
        score_cross_section=pl.Series(ranks, dtype=pl.Float64),
        p_move=pl.Series(_apply(model.boosters["move"], frame), dtype=pl.Float64),
        p_up_given_move=pl.Series(_apply(model.boosters["up_given_move"], frame), dtype=pl.Float64),
    )


def gain_by_column(model: TraderModel) -> pl.DataFrame:
    """Share of the boosters' gain by model column, largest first: column, gain_share."""
    import lightgbm

    totals = np.zeros(len(model.columns))
    for label in RANK_LABELS:
        gains = lightgbm.Booster(model_str=model.boosters[label]).feature_importance("gain")
        totals += gains / max(float(gains.sum()), 1e-300)
    shares = totals / len(RANK_LABELS)
    return pl.DataFrame({"column": list(model.columns), "gain_share": shares}).sort("gain_share", descending=True)


def _boost(
    frame: pl.DataFrame,
    labels: dict[str, Floats],
    *,
    columns: tuple[str, ...],
    parameters: dict[str, Any],
    rounds: int,
) -> dict[str, str]:
    """Train one booster a label on the same columns, binned once, and return their texts, which name the columns.

    Small samples get smaller leaves, so that a young market can be learnt at all.
    """
    import lightgbm

    features = _matrix(frame, columns)
    smallest_leaf = min(parameters["min_data_in_leaf"], max(20, len(features) // 50))
    parameters = {**parameters, "min_data_in_leaf": smallest_leaf}
    data = lightgbm.Dataset(
        features, np.zeros(len(features)), params=parameters, feature_name=list(columns), free_raw_data=False
    ).construct()
    texts = {}
    for name, label in labels.items():
        data.set_label(label)
        texts[name] = str(lightgbm.train(parameters, data, num_boost_round=rounds).model_to_string())
    return texts


def _apply(text: str, frame: pl.DataFrame) -> Floats:
    """Predictions of a booster, from the columns its text names."""
    import lightgbm

    if frame.is_empty():
        return np.zeros(0)
    booster = lightgbm.Booster(model_str=text)
    features = _matrix(frame, tuple(booster.feature_name()))
    return np.asarray(booster.predict(features, num_threads=PARAMETERS["num_threads"]), dtype=np.float64)


def _matrix(frame: pl.DataFrame, columns: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """The model columns as a row-major float matrix, null as NaN."""
    return np.ascontiguousarray(frame.select(pl.col(list(columns)).cast(pl.Float32).fill_null(float("nan"))).to_numpy())
