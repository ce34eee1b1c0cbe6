"""Selection and timing: areas as scikit-learn has them, and a skill of one kind that does not show up as the other."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models_ml.learning.evaluation.discrimination import selection_auc, timing_auc, weekly_auc, with_direction

START = dt.date(2020, 1, 6)


def market_of(seed, *, weeks=60, tokens=40, selection=0.0, timing=0.0):
    """Outcomes of a market part and a token part; the probability knows `selection` of the one and `timing` of the other."""
    rng = np.random.default_rng(seed)
    market = np.repeat(rng.normal(0, 1, weeks), tokens)
    token = rng.normal(0, 1, weeks * tokens)
    move = market + token
    knowledge = selection * token + timing * market + 0.5 * rng.normal(0, 1, weeks * tokens)
    return pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
            "p_up_given_move": 1 / (1 + np.exp(-knowledge)),
            "forward_barrier": pl.Series(np.sign(move) * (np.abs(move) > 0.5)).cast(pl.Int8),
        }
    )


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_area_of_a_week_is_that_of_scikit_learn_with_ties(seed):
    frame = market_of(seed, weeks=3, selection=0.5).with_columns(pl.col("p_up_given_move").round(1))

    weekly = weekly_auc(frame)

    for row in weekly.iter_rows(named=True):
        week = frame.filter((pl.col("as_of_week") == row["as_of_week"]) & (pl.col("forward_barrier") != 0))
        assert row["value"] == pytest.approx(roc_auc_score(week["forward_barrier"], week["p_up_given_move"]))


def test_selection_pools_the_pairs_of_all_weeks():
    frame = market_of(1, selection=0.5)

    interval = selection_auc(frame, block=2)

    won = pairs = 0
    for week in frame.filter(pl.col("forward_barrier") != 0).partition_by("as_of_week"):
        for riser in week.filter(pl.col("forward_barrier") == 1)["p_up_given_move"]:
            for faller in week.filter(pl.col("forward_barrier") == -1)["p_up_given_move"]:
                won, pairs = won + (riser > faller), pairs + 1
    assert interval.estimate == pytest.approx(won / pairs)
    assert interval.low < interval.estimate < interval.high


def test_timing_is_the_area_over_weeks_that_scikit_learn_has():
    frame = market_of(2, timing=0.5)

    interval = timing_auc(frame, block=2)

    weeks = frame.group_by("as_of_week").agg(
        pl.col("p_up_given_move").mean(), pl.col("forward_barrier").cast(pl.Int64).sum()
    )
    weeks = weeks.filter(pl.col("forward_barrier") != 0)
    assert interval.estimate == pytest.approx(roc_auc_score(weeks["forward_barrier"] > 0, weeks["p_up_given_move"]))
    assert interval.low < interval.estimate < interval.high


def test_skill_at_one_is_not_taken_for_skill_at_the_other():
    picker, timer = market_of(3, selection=1.0), market_of(4, timing=1.0)

    assert selection_auc(picker, block=2).low > 0.7
    assert timing_auc(timer, block=2).low > 0.9
    assert selection_auc(timer, block=2).low < 0.5 < selection_auc(timer, block=2).high
    assert timing_auc(picker, block=2).low < 0.6


def test_weeks_in_which_all_moved_one_way_have_no_pair():
    frame = market_of(5, weeks=2).with_columns(
        forward_barrier=pl.when(pl.col("as_of_week") == START).then(1).otherwise("forward_barrier").cast(pl.Int8)
    )

    assert weekly_auc(frame)["as_of_week"].to_list() == [START + dt.timedelta(weeks=1)]


def test_direction_is_what_the_class_probabilities_say_of_a_move():
    frame = pl.DataFrame({"p_bullish": [0.3, 0.0], "p_neutral": [0.6, 1.0], "p_bearish": [0.1, 0.0]})

    directed = with_direction(frame)

    assert directed["p_move"].to_list() == pytest.approx([0.4, 0.0])
    assert directed["p_up_given_move"].to_list() == [pytest.approx(0.75), None]
