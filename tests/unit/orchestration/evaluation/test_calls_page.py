"""Sections of the calls page: what confirmations and actions were worth stands in the rows a reader looks for."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.actions import CONFIRMATIONS
from orchestration.evaluation.calls import action_sections
from orchestration.evaluation.ranking import BANDS

WEEKS, TOKENS = 60, 60


def decided_of(worth):
    """Calls by chance; `is_repeated` is worth so much return in the call's direction, the other confirmations nothing."""
    rng = np.random.default_rng(1)
    count = WEEKS * TOKENS
    signal = rng.choice([1, 0, -1], count, p=[0.4, 0.4, 0.2])
    answers = {name: rng.random(count) < 0.5 for name in CONFIRMATIONS}
    gain = signal * answers["is_repeated"] * worth + rng.normal(0, 0.05, count)
    grade = rng.uniform(0, 100, count)
    is_entry = (signal == 1) & (grade >= 50)
    return pl.DataFrame(
        {
            "as_of_week": [
                dt.date(2022, 1, 3) + dt.timedelta(weeks=week) for week in range(WEEKS) for _ in range(TOKENS)
            ],
            "signal": pl.Series(signal, dtype=pl.Int8),
            **answers,
            "confirmations_true": np.where(signal != 0, sum(answers.values()), 0),
            "action": np.select(
                [is_entry, signal == 1, signal == 0], ["enter small", "nothing new", "hold"], "scale out"
            ),
            "position_weight": np.where(is_entry, 0.04, 0.0),
            "trader_grade": grade,
            "forward_barrier": pl.Series(np.sign(np.trunc(gain / 0.04)), dtype=pl.Int8),
            "forward_return_14d_lag1": gain,
        }
    )


def rows_of(section):
    return [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]


def test_the_record_has_a_row_for_every_count_action_and_band():
    confirmations, actions = action_sections(decided_of(0.0))

    assert {row[1] for row in rows_of(confirmations) if row[0] == "bullish"} == {"0", "1", "2", "3", "4", "5"}
    assert {row[1] for row in rows_of(actions) if row[0] == "bullish"} == {"enter small", "nothing new", *BANDS}
    assert "A position was 4.0% of capital on average" in actions


@pytest.mark.parametrize(
    ("worth", "verdict"),
    [
        (0.03, "Above 0 with its whole interval: is_repeated of bullish calls, is_repeated of bearish calls."),
        (0.0, "**None has"),
    ],
)
def test_only_a_confirmation_with_worth_is_called_so(worth, verdict):
    confirmations, _ = action_sections(decided_of(worth))

    assert verdict in confirmations
