"""Grades: percentiles among earlier scores, moved together by the market part."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models_ml.learning.grades import MARKET_WEIGHT, cross_sectional_rank, market_part, percentile_grades

SCORES = st.lists(st.integers(-20, 20).map(lambda score: score / 10), min_size=1, max_size=40).map(np.array)
WEEK = dt.date(2024, 1, 1)


def market_of(*rows):
    return pl.DataFrame(
        [(WEEK + dt.timedelta(days=7 * number), *row) for number, row in enumerate(rows)],
        schema={
            "market_date": pl.Date,
            "btc_to_sma_100d": pl.Float32,
            "btc_to_sma_200d": pl.Float32,
            "breadth_50d": pl.Float32,
        },
        orient="row",
    )


def test_a_grade_is_the_share_of_earlier_scores_below_with_ties_counted_half():
    reference = np.array([0.1, 0.2, 0.2, 0.4])

    grades = percentile_grades(np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), reference)

    assert grades.tolist() == [0.0, 12.5, 50.0, 75.0, 87.5, 100.0]


@given(SCORES, SCORES)
def test_grades_equal_the_mean_percentile_of_scipy(scores, reference):
    grades = percentile_grades(scores, np.sort(reference))

    assert grades == pytest.approx(stats.percentileofscore(reference, scores, kind="mean"))


@given(SCORES, SCORES)
def test_grades_run_from_0_to_100_and_never_against_the_scores(scores, reference):
    ordered = np.sort(scores)

    grades = percentile_grades(ordered, np.sort(reference))

    assert grades.min() >= 0
    assert grades.max() <= 100
    assert (np.diff(grades) >= 0).all()


@given(SCORES, SCORES, st.floats(-MARKET_WEIGHT, MARKET_WEIGHT), st.floats(-MARKET_WEIGHT, MARKET_WEIGHT))
def test_no_grade_rises_when_the_market_part_falls(scores, reference, one, other):
    weaker, stronger = sorted((one, other))
    earlier = np.sort(reference)

    assert (percentile_grades(scores + weaker, earlier) <= percentile_grades(scores + stronger, earlier)).all()


def test_all_grades_fall_together_in_a_weak_market():
    rng = np.random.default_rng(1)
    earlier, scores = np.sort(rng.normal(0, 0.05, 5000)), rng.normal(0, 0.05, 200)
    parts = market_part(market_of((0.2, 0.3, 0.9), (-0.2, -0.3, 0.1)))["score_market"]

    strong, weak = (percentile_grades(scores + part, earlier) for part in parts)

    assert (weak < strong).all()
    assert strong.mean() > 60
    assert weak.mean() < 40


def test_a_grade_without_earlier_scores_is_refused():
    with pytest.raises(ValueError, match="train a first model first"):
        percentile_grades(np.array([0.1]), np.array([]))


def test_the_market_part_is_the_mean_of_three_signs():
    parts = market_part(
        market_of((0.1, 0.1, 1.0), (-0.1, -0.1, 0.0), (0.1, -0.1, 0.5), (0.1, 0.1, 0.5), (0.0, 0.1, 0.2))
    )

    expected = [MARKET_WEIGHT, -MARKET_WEIGHT, 0.0, 2 / 3 * MARKET_WEIGHT, 0.4 / 3 * MARKET_WEIGHT]
    assert parts["score_market"].to_list() == pytest.approx(expected, abs=1e-8)


def test_an_unknown_sign_counts_as_neither():
    parts = market_part(market_of((None, None, None), (0.1, None, None), (None, -0.1, None), (None, None, 1.0)))

    third = MARKET_WEIGHT / 3
    assert parts["score_market"].to_list() == pytest.approx([0.0, third, -third, third])


@given(
    st.one_of(st.none(), st.floats(-0.75, 50, width=32)),
    st.one_of(st.none(), st.floats(-0.75, 50, width=32)),
    st.one_of(st.none(), st.floats(0, 1, width=32)),
)
def test_the_market_part_stays_within_its_weight(to_100, to_200, breadth):
    part = market_part(market_of((to_100, to_200, breadth)))["score_market"].item()

    assert abs(part) <= MARKET_WEIGHT + 1e-12


def test_ranks_are_percentiles_within_a_day_whatever_the_market():
    scored = pl.DataFrame(
        {"market_date": [WEEK] * 3 + [dt.date(2024, 1, 8)] * 3, "score": [0.1, 0.3, 0.2, -0.8, -0.6, -0.8]}
    )

    ranks = scored.select(rank=cross_sectional_rank("score"))["rank"].to_list()

    assert ranks == pytest.approx([100 / 6, 500 / 6, 50, 100 / 3, 500 / 6, 100 / 3])
