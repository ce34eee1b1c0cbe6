"""The section on calibration: a year is judged by what had ended before it."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from orchestration.evaluation.calibration import calibrated, weekly_brier

TOKENS = 60


@pytest.fixture(scope="module")
def rows():
    """Bold probabilities of 2019 to 2021: the logit of what happened, doubled."""
    rng = np.random.default_rng(7)
    weeks = [dt.date(2019, 1, 7) + dt.timedelta(weeks=week) for week in range(150)]
    count = len(weeks) * TOKENS
    move, up = rng.uniform(0.2, 0.8, count), rng.uniform(0.2, 0.8, count)
    side = np.where(rng.random(count) < up, 1, -1) * (rng.random(count) < move)
    return pl.DataFrame(
        {
            "as_of_week": [week for week in weeks for _ in range(TOKENS)],
            "token_id": [f"t{token}" for token in range(TOKENS)] * len(weeks),
            "p_move": expit(2 * logit(move)),
            "p_up_given_move": expit(2 * logit(up)),
            "forward_barrier": side.astype(np.int8),
        }
    )


def mean_brier(judged):
    return weekly_brier(judged)["value"].mean()


def test_a_temperature_makes_bold_probabilities_better(rows):
    before = calibrated(rows, "raw", maps_move=False, maps_up=False)

    after = calibrated(rows, "temperature", maps_move=True, maps_up=True)

    assert mean_brier(after) < mean_brier(before) - 0.01
    assert set(after["as_of_week"].dt.year()) == {2020, 2021}
    assert after.select(
        pl.sum_horizontal("p_bullish", "p_neutral", "p_bearish")
    ).to_series().to_list() == pytest.approx([1.0] * after.height)


def test_only_the_probability_named_is_mapped(rows):
    before = calibrated(rows, "raw", maps_move=False, maps_up=False)

    after = calibrated(rows, "sigmoid", maps_move=True, maps_up=False)

    assert after["p_up_given_move"].equals(before["p_up_given_move"])
    assert not after["p_move"].equals(before["p_move"])


def test_later_outcomes_change_no_earlier_year(rows):
    is_late = pl.col("as_of_week") >= dt.date(2021, 1, 1)
    turned = rows.with_columns(
        forward_barrier=pl.when(is_late).then(-pl.col("forward_barrier")).otherwise("forward_barrier")
    )

    first, second = (calibrated(each, "isotonic", maps_move=True, maps_up=True) for each in (rows, turned))

    assert first.filter(~is_late)["p_bullish"].equals(second.filter(~is_late)["p_bullish"])
