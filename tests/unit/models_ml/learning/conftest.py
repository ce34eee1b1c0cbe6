"""Fixtures of the learning tests: weekly panels made of random numbers, with a planted signal where a test wants one."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from models_ml.learning.dataset import MODEL_COLUMNS, RATIO_COLUMNS

START = dt.date(2022, 1, 3)
WEEK = dt.timedelta(days=7)
MARKER = MODEL_COLUMNS[0]
"""The model column that carries a planted signal."""


@dataclass(frozen=True)
class Panel:
    """A model frame with the forward quantities of its rows."""

    frame: pl.DataFrame
    labels: pl.DataFrame


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., Panel]:
    """Makes a panel of uniform random features and normal returns.

    `planted` holds the numbers of the weeks in which returns follow `MARKER`, with `strength`; in others they are noise.
    """

    def make(seed: int, *, tokens: int, weeks: int, strength: float = 0.0, planted: Any = None) -> Panel:
        rng = np.random.default_rng(seed)
        number = np.repeat(np.arange(weeks), tokens)
        keys = pl.DataFrame(
            {
                "as_of_week": [START + WEEK * int(week) for week in number],
                "token_id": [f"t{token:03d}" for token in range(tokens)] * weeks,
            }
        )
        columns = (*MODEL_COLUMNS, *RATIO_COLUMNS)
        features = rng.random((len(number), len(columns)), dtype=np.float32)
        is_planted = np.isin(number, range(weeks) if planted is None else planted)
        moves = is_planted * strength * (features[:, 0] - 0.5) + rng.normal(0, 0.1, len(number))
        labels = keys.with_columns(
            forward_return_7d=pl.Series(0.5 * moves + rng.normal(0, 0.05, len(number))),
            forward_return_14d=pl.Series(moves),
            forward_return_14d_lag1=pl.Series(moves),
            forward_return_30d=pl.Series(moves + rng.normal(0, 0.1, len(number))),
            forward_return_90d=pl.Series(moves + rng.normal(0, 0.15, len(number))),
            forward_return_90d_lag1=pl.Series(moves + rng.normal(0, 0.15, len(number))),
            forward_residual_14d=pl.Series(moves + rng.normal(0, 0.02, len(number))),
            forward_barrier=pl.Series(np.sign(moves) * (np.abs(moves) > 0.1), dtype=pl.Int8),
        )
        frame = keys.with_columns(pl.Series(name, features[:, at]) for at, name in enumerate(columns))
        return Panel(frame, labels)

    return make


@pytest.fixture(scope="session")
def weekly_ics() -> Callable[..., pl.Series]:
    """Spearman's correlation, a week, of a column of scores with a column of outcomes."""

    def measure(scores: pl.DataFrame, labels: pl.DataFrame, column: str = "score_cross_section") -> pl.Series:
        joined = scores.join(labels, on=["as_of_week", "token_id"])
        weekly = joined.group_by("as_of_week").agg(ic=pl.corr(column, "forward_return_14d", method="spearman"))
        return weekly.sort("as_of_week")["ic"]

    return measure
