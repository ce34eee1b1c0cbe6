"""Calls: precision as scikit-learn has it, and volatility that passes for direction found out by its opposite outcomes."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import precision_score

from models_ml.learning.evaluation.calls import call_precision, strongest_calls

START = dt.date(2020, 1, 6)


def calls_of(seed, *, weeks=40, tokens=50, direction=0.0, volatility=0.0):
    """Probabilities that know `direction` of the outcome and, in both tails at once, `volatility` of it."""
    rng = np.random.default_rng(seed)
    count = weeks * tokens
    lean, activity = rng.normal(0, 1, count), rng.normal(0, 1, count)
    odds = np.column_stack(
        [direction * lean + volatility * activity, np.ones(count), -direction * lean + volatility * activity]
    )
    probabilities = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    outcome = [rng.choice([1, 0, -1], p=row) for row in probabilities]
    return pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
            "p_bullish": probabilities[:, 0],
            "p_bearish": probabilities[:, 2],
            "activity": activity,
            "signal": pl.Series(np.select([lean > 1, lean < -1], [1, -1], 0), dtype=pl.Int8),
            "forward_barrier": pl.Series(outcome, dtype=pl.Int8),
        }
    )


def test_precision_is_that_of_scikit_learn_and_lift_is_over_the_base_rate():
    frame = calls_of(1, direction=0.7)

    table = call_precision(frame, block=2)

    assert table["call"].to_list() == ["bullish", "neutral", "bearish"]
    for number, row in zip((1, 0, -1), table.iter_rows(named=True), strict=True):
        happened, called = frame["forward_barrier"] == number, frame["signal"] == number
        assert row["precision"] == pytest.approx(precision_score(happened, called))
        assert row["base_rate"] == pytest.approx(happened.mean())
        assert row["lift"] == pytest.approx(row["precision"] / row["base_rate"])
        assert row["share_of_rows"] == pytest.approx(called.mean())
        assert row["rows"] == called.sum()
        assert row["precision_low"] < row["precision"] < row["precision_high"]
        assert row["lift_low"] < row["lift"] < row["lift_high"]


def test_the_opposite_of_a_neutral_call_is_nothing():
    frame = calls_of(2, direction=0.7)

    table = call_precision(frame, block=2)

    bullish = frame.filter(pl.col("signal") == 1)
    assert table["opposite"][0] == pytest.approx((bullish["forward_barrier"] == -1).mean())
    assert table["opposite"][1] is None
    assert table["opposite_base_rate"][0] == pytest.approx((frame["forward_barrier"] == -1).mean())


def test_a_call_that_was_never_made_has_no_row():
    frame = calls_of(3).filter(pl.col("signal") != -1)

    assert call_precision(frame, block=2)["call"].to_list() == ["bullish", "neutral"]


def test_calls_without_an_outcome_do_not_count():
    frame = calls_of(4)
    unknown = frame.with_columns(forward_barrier=pl.lit(None, dtype=pl.Int8))

    assert call_precision(pl.concat([frame, unknown]), block=2).equals(call_precision(frame, block=2))


def test_the_strongest_calls_of_a_directional_model_have_fewer_opposite_outcomes():
    table = strongest_calls(calls_of(5, direction=1.0), block=2)

    assert table["call"].to_list() == ["bullish", "bearish"]
    assert table["share_of_rows"].to_list() == pytest.approx([0.1, 0.1])
    assert all(row["opposite_high"] < row["opposite_base_rate"] for row in table.iter_rows(named=True))


def test_a_model_that_knows_only_volatility_is_found_out_by_opposite_outcomes():
    frame = calls_of(6, volatility=1.0).with_columns(
        p_bullish=pl.col("activity") - pl.col("activity").min(), p_bearish=pl.lit(0.0)
    )

    bullish = strongest_calls(frame, block=2).row(0, named=True)

    assert bullish["lift_low"] > 1
    assert bullish["opposite_low"] > bullish["opposite_base_rate"]


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_share_that_is_no_end_is_refused(share):
    with pytest.raises(ValueError, match="share is"):
        strongest_calls(calls_of(7), block=2, share=share)
