"""LightGBM as all heads use it: parameters, training on one binned matrix, prediction and contributions, models as text.

Belongs here: what touches LightGBM. Models are its own text format, never pickle.
Does not: labels and columns of a head (`ranking.py`, `moves.py`, `price_ranges.py`), the frozen model (`frozen_model.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    import lightgbm

Floats = npt.NDArray[np.float64]

Matrix = npt.NDArray[np.float32]

Train = Callable[[Matrix, Mapping[str, Floats], Sequence[str], Mapping[str, Any], int], dict[str, str]]
"""Trains boosters: features (a row a training row), label by booster, names of the columns, LightGBM's parameters, trees of each;
returns LightGBM's text of each."""

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
    # The same inputs give byte-identical trees, whatever the number of threads. One, because the threads of a booster wait for each
    # other after every leaf: heads are trained side by side instead (`orchestration/lib/training.py`).
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}

CAREFUL_PARAMETERS: dict[str, Any] = {
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 400,
    "lambda_l2": 10.0,
}
"""Smaller trees for labels with more noise than the 14-day rank."""


THREADS: int = PARAMETERS["num_threads"]
"""Of predictions, too. LightGBM keeps the number in one place for the whole process: a prediction with two, while another head bins its
data with one, has that data set written out of its bounds (a segmentation fault, after seconds where both are done in a loop)."""


ROWS_A_THREAD = 500
"""Rows of a prediction from which on another thread pays for its own copy of the booster."""


MOST_TRAINING_ROWS = 300_000
"""Rows a booster learns from at most. Beyond them the time of a refit grows and its skill hardly: a universe of 500 tokens reaches them
after eleven years."""


def training_sample(height: int) -> npt.NDArray[np.int64] | None:
    """Positions of the rows that are trained on, ascending; None where all are.

    Drawn without replacement, seeded, so that the same rows give the same trees. Labels are ranked among all rows before the draw.

    Args:
        height: Number of rows a refit may use.
    """
    if height <= MOST_TRAINING_ROWS:
        return None
    generator = np.random.default_rng(PARAMETERS["seed"])
    return np.sort(generator.choice(height, MOST_TRAINING_ROWS, replace=False, shuffle=False))


def boost(
    frame: pl.DataFrame,
    labels: Mapping[str, Floats],
    *,
    columns: Sequence[str],
    parameters: Mapping[str, Any],
    rounds: int,
) -> dict[str, str]:
    """Train one booster a label on the same columns, binned once.

    Args:
        frame: The training rows with `columns`; of more than `MOST_TRAINING_ROWS` a seeded sample is used.
        labels: Label of each row, by the name of its booster.
        columns: Columns the boosters see, in this order.
        parameters: What differs from `PARAMETERS`; the objective among it.
        rounds: Trees of each booster.

    Returns:
        LightGBM's text of each booster, which names the columns. Small samples get smaller leaves, so that a young market can be
        learnt at all.
    """
    sampled = training_sample(frame.height)
    if sampled is not None:
        frame, labels = frame[sampled], {name: label[sampled] for name, label in labels.items()}
    features = _matrix(frame, columns)
    chosen = {**PARAMETERS, **parameters}
    chosen["min_data_in_leaf"] = min(chosen["min_data_in_leaf"], max(20, len(features) // 50))
    return _trainers[-1](features, labels, columns, chosen, rounds)


def _train_here(
    features: Matrix, labels: Mapping[str, Floats], columns: Sequence[str], parameters: Mapping[str, Any], rounds: int
) -> dict[str, str]:
    """Train in this process, on data binned once."""
    import lightgbm

    chosen = dict(parameters)
    data = lightgbm.Dataset(
        features, np.zeros(len(features)), params=chosen, feature_name=list(columns), free_raw_data=False
    ).construct()
    texts = {}
    for name, label in labels.items():
        data.set_label(label)
        texts[name] = str(lightgbm.train(chosen, data, num_boost_round=rounds).model_to_string())
    return texts


_trainers: list[Train] = [_train_here]


@contextmanager
def trained_by(train: Train) -> Iterator[None]:
    """Have all boosters of this process trained by something else until the block ends, as by a cluster."""
    _trainers.append(train)
    try:
        yield
    finally:
        _trainers.remove(train)


def apply(text: str, frame: pl.DataFrame) -> Floats:
    """Predictions of a booster, one a row, from the columns its text names."""
    import lightgbm

    if frame.is_empty():
        return np.zeros(0)
    return _predicted(lightgbm.Booster(model_str=text), text, frame)


def contributions(text: str, frame: pl.DataFrame) -> pl.DataFrame:
    """What each column adds to each prediction of a booster (TreeSHAP; Lundberg et al. 2020, Nature Machine Intelligence 2, 56-67).

    Returns:
        One row a row of the frame, one column a column of the booster, and `expected`, the mean prediction; they sum to the
        booster's raw prediction.
    """
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    names = [*booster.feature_name(), "expected"]
    if frame.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Float64))
    return pl.DataFrame(_predicted(booster, text, frame, pred_contrib=True), schema=names)


def _predicted(booster: lightgbm.Booster, text: str, frame: pl.DataFrame, **options: Any) -> Floats:
    """What a booster says of each row, by as many threads of ours as there are processors: a row depends on no other one.

    Each thread has a booster of its own, read from the text, which stays at the one thread that `THREADS` allows it.
    """
    import lightgbm

    def predict(own: lightgbm.Booster, rows: Matrix) -> Floats:
        return np.asarray(own.predict(rows, num_threads=THREADS, **options), dtype=np.float64)

    parts = min(os.cpu_count() or 1, 1 + frame.height // ROWS_A_THREAD)
    boosters = [booster, *(lightgbm.Booster(model_str=text) for _ in range(parts - 1))]
    with ThreadPoolExecutor(parts) as pool:
        features = np.array_split(_matrix(frame, booster.feature_name()), parts)
        return np.concatenate(list(pool.map(predict, boosters, features)))


def gain_shares(texts: Sequence[str]) -> pl.DataFrame:
    """Share of the boosters' gain by column, each booster weighing the same, largest first: column, gain_share."""
    import lightgbm

    totals: dict[str, float] = {}
    for text in texts:
        booster = lightgbm.Booster(model_str=text)
        gains = booster.feature_importance("gain")
        whole = max(float(gains.sum()), 1e-300) * len(texts)
        for column, gain in zip(booster.feature_name(), gains, strict=True):
            totals[column] = totals.get(column, 0.0) + float(gain) / whole
    return pl.DataFrame({"column": list(totals), "gain_share": list(totals.values())}).sort(
        "gain_share", descending=True, maintain_order=True
    )


def _matrix(frame: pl.DataFrame, columns: Sequence[str]) -> Matrix:
    """Columns as a row-major float matrix, null as NaN."""
    return np.ascontiguousarray(frame.select(pl.col(list(columns)).cast(pl.Float32).fill_null(float("nan"))).to_numpy())
