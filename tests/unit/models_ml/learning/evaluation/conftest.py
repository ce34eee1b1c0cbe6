"""Panels of the evaluation tests: weeks of tokens with scores, factors and returns made of random numbers."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS

START = dt.date(2020, 1, 6)


@pytest.fixture(scope="session")
def random_panel() -> Callable[..., pl.DataFrame]:
    """Makes a panel: as_of_week, token_id, score, the known factors, and the lagged return.

    The return is `skill` times the score plus `factor` times the first known factor plus noise of deviation 1.
    """

    def make(
        seed: int, *, weeks: int, tokens: int, skill: float = 0.0, factor: float = 0.0, spacing: int = 7
    ) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        count = weeks * tokens
        factors = {name: rng.normal(0, 1, count) for name in KNOWN_FACTORS}
        score = rng.normal(0, 1, count)
        outcome = skill * score + factor * factors["volatility_30d"] + rng.normal(0, 1, count)
        return pl.DataFrame(
            {
                "as_of_week": [
                    START + dt.timedelta(days=spacing * week) for week in range(weeks) for _ in range(tokens)
                ],
                "token_id": [f"t{token:03d}" for token in range(tokens)] * weeks,
                "score": score,
                **factors,
                "forward_return_14d_lag1": 0.05 * outcome,
            }
        )

    return make
