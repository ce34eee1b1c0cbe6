"""The record of actions: figures as a slow reference has them, a worthless answer found worthless, timing told from selection."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.evaluation.actions import record_of_groups, with_excess, worth_of_answers

START = dt.date(2020, 1, 6)


def calls_of(seed, *, weeks=40, tokens=60, worth=0.0, timing=0.0):
    """Calls by chance; an answer worth `worth` of return within weeks, and a weekly tide that `timing` calls see."""
    rng = np.random.default_rng(seed)
    count = weeks * tokens
    tide = np.repeat(rng.normal(0, 1, weeks), tokens)
    signal = np.select([rng.normal(0, 1, count) + timing * tide > 1, rng.random(count) < 0.2], [1, -1], 0)
    answered = rng.random(count) < 0.5
    gain = 0.02 * tide + signal * answered * worth + rng.normal(0, 0.05, count)
    return pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
            "signal": pl.Series(signal, dtype=pl.Int8),
            "is_answered": answered,
            "forward_return_14d_lag1": gain,
            "forward_barrier": pl.Series(np.select([gain > 0.04, gain < -0.04], [1, -1], 0), dtype=pl.Int8),
        }
    )


def test_the_record_is_that_of_a_slow_reference():
    frame = with_excess(calls_of(1, worth=0.02))

    table = record_of_groups(frame, by=["is_answered"], block=2)

    assert table["call"].to_list() == ["bullish"] * 2 + ["neutral"] * 2 + ["bearish"] * 2
    number_of = {"bullish": 1, "neutral": 0, "bearish": -1}
    for row in table.iter_rows(named=True):
        number = number_of[row["call"]]
        weekly, right, expected, rows = [], 0, 0.0, 0
        for _, week in frame.group_by("as_of_week"):
            mean = week["forward_return_14d_lag1"].mean()
            group = week.filter((pl.col("signal") == number) & (pl.col("is_answered") == row["is_answered"]))
            if group.height:
                weekly.append(sum(value - mean for value in group["forward_return_14d_lag1"]) / group.height)
            right += sum(value == number for value in group["forward_barrier"])
            expected += group.height * sum(value == number for value in week["forward_barrier"]) / week.height
            rows += group.height
        assert row["mean_excess"] == pytest.approx(np.mean(weekly))
        assert (row["rows"], row["weeks"]) == (rows, len(weekly))
        assert row["precision"] == pytest.approx(right / rows)
        assert row["lift"] == pytest.approx(row["precision"] / (frame["forward_barrier"] == number).mean())
        assert row["lift_in_weeks"] == pytest.approx(right / expected)
        assert row["precision_low"] < row["precision"] < row["precision_high"]


def test_calls_that_only_see_the_tide_have_no_lift_within_weeks():
    frame = with_excess(calls_of(2, timing=2.0, weeks=150))

    bullish = record_of_groups(frame, by=[], block=2).row(0, named=True)

    assert bullish["lift"] > 1.2
    assert bullish["lift_in_weeks"] == pytest.approx(1.0, abs=0.08)
    assert bullish["mean_excess_low"] < 0 < bullish["mean_excess_high"]


@pytest.mark.parametrize(("worth", "is_found"), [(0.02, True), (0.0, False)])
def test_an_answer_is_worth_what_it_adds_within_weeks(worth, is_found):
    frame = with_excess(calls_of(3, worth=worth, timing=1.0, weeks=100))

    table = worth_of_answers(frame, ["is_answered"], block=2)

    assert table["call"].to_list() == ["bullish", "bearish"]
    for row in table.iter_rows(named=True):
        assert row["difference"] == pytest.approx(worth, abs=0.008)
        assert (row["difference_low"] > 0) is is_found


def test_rows_without_an_outcome_and_answers_without_a_contrast_do_not_count():
    frame = with_excess(calls_of(4)).with_columns(is_market=pl.lit(value=True))
    unknown = frame.with_columns(excess=pl.when(pl.int_range(pl.len()) % 2 == 0).then("excess"))

    assert worth_of_answers(frame, ["is_market"], block=2).is_empty()
    rows = record_of_groups(unknown, by=[], block=2)["rows"].sum()
    assert rows == frame.height // 2
