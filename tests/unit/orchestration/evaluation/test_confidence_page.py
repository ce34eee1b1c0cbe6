"""The page of confidence: skill that was planted among the confident rows stands among them."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS
from orchestration.evaluation.confidence import calls_section, skill_section, watched_section

WEEKS, TOKENS = 40, 120


def rows_of(section):
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]


def keys():
    return {
        "as_of_week": [dt.date(2022, 1, 3) + dt.timedelta(weeks=week) for week in range(WEEKS) for _ in range(TOKENS)],
        "token_id": [f"t{token:03d}" for token in range(TOKENS)] * WEEKS,
    }


@pytest.fixture(scope="module")
def confidence():
    return np.tile(np.repeat([0.4, 0.6, 0.9], TOKENS // 3), WEEKS)


def test_skill_of_the_confident_rows_alone_is_found_among_them(confidence):
    rng = np.random.default_rng(1)
    count = WEEKS * TOKENS
    score = rng.normal(0, 1, count)
    panel = pl.DataFrame(
        {
            **keys(),
            "score": score,
            "trader_confidence": confidence,
            "trader_novelty": (1 - confidence) / 2,
            "forward_return_14d_lag1": np.where(confidence > 0.8, score, 0) + rng.normal(0, 1, count),
            **{name: rng.normal(0, 1, count) for name in KNOWN_FACTORS},
        }
    )

    table = {tuple(row[:3]): row for row in rows_of(skill_section(panel))}

    lowest, highest = (table["confidence_tercile", name, "rank_ic"] for name in ("1 lowest", "3 highest"))
    assert abs(float(lowest[3])) < 0.05
    assert float(highest[4]) > 0.5
    assert int(highest[6]) == WEEKS


def test_precision_over_the_base_is_that_of_the_tercile(confidence):
    rng = np.random.default_rng(2)
    outcome = rng.integers(-1, 2, WEEKS * TOKENS)
    signal = np.where(confidence > 0.8, outcome, rng.permutation(outcome))
    calls = pl.DataFrame({**keys(), "signal": signal, "forward_barrier": outcome, "calls_confidence": confidence})

    table = {tuple(row[:2]): row for row in rows_of(calls_section(calls))}

    assert float(table["bullish", "3 highest"][3]) == 1
    assert float(table["bullish", "3 highest"][5]) == pytest.approx(2 / 3, abs=0.03)
    assert float(table["bearish", "1 lowest"][5]) == pytest.approx(0, abs=0.03)


def test_the_monitor_is_summed_up_by_model_and_metric():
    watched = pl.DataFrame({"model": ["trader"] * 3, "metric": ["psi_max"] * 3, "value": [0.1, 0.2, 0.9]})

    (row,) = [row for row in rows_of(watched_section(watched)) if row[0] == "trader"]

    assert row[1:3] + row[5:] == ["psi_max", "0.2", "0.9", "3"]
