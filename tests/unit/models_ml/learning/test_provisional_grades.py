"""Grades of a long run of weeks: provisional until two years of earlier scores exist, then among exactly those."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from scipy import stats

from models_ml.learning.grades import MINIMUM_REFERENCE_WEEKS, grade_weeks

FIRST = dt.date(2022, 1, 3)
WEEKS = [FIRST + dt.timedelta(days=7 * week) for week in range(MINIMUM_REFERENCE_WEEKS + 3)]
TOKENS = 20
STAND_IN = np.full(5, 0.4)
"""Above nearly all scores that follow."""


@pytest.fixture(scope="module")
def scored():
    """Scores of twenty tokens on the last two days of every week; one token has none in the last week."""
    rng = np.random.default_rng(9)
    rows = [
        (week, week - dt.timedelta(days=back), f"t{token:02d}", rng.normal(0, 0.1))
        for week in WEEKS
        for back in (2, 1)
        for token in range(TOKENS)
    ]
    frame = pl.DataFrame(rows, schema=["as_of_week", "market_date", "token_id", "score"], orient="row")
    is_unknown = (pl.col("as_of_week") == WEEKS[-1]) & (pl.col("token_id") == "t00")
    return frame.with_columns(score=pl.when(~is_unknown).then("score"))


def grade(scored, earlier=None):
    nothing = pl.DataFrame(schema={"as_of_week": pl.Date, "score": pl.Float64})
    return grade_weeks(scored, nothing if earlier is None else earlier, STAND_IN, score="score", grade="grade")


@pytest.fixture(scope="module")
def graded(scored):
    return grade(scored)


def sundays(frame, weeks):
    is_last = pl.col("market_date") == pl.col("as_of_week") - dt.timedelta(days=1)
    return frame.filter(is_last & pl.col("as_of_week").is_in(weeks))["score"].drop_nulls().to_numpy()


def of_week(graded, week):
    return graded.filter((pl.col("as_of_week") == week) & pl.col("score").is_not_null())


def test_every_score_has_a_grade_and_nothing_else_has(graded, scored):
    assert graded.height == scored.height
    assert graded["grade"].drop_nulls().is_between(0, 100).all()
    assert graded["grade"].is_null().equals(graded["score"].is_null())


def test_grades_are_provisional_until_104_earlier_weeks_have_scores(graded):
    provisional = graded.filter(pl.col("is_grade_provisional"))["as_of_week"].unique().sort().to_list()

    assert provisional == WEEKS[:104]


@pytest.mark.parametrize("position", [104, 106])
def test_a_grade_stands_among_the_sundays_of_all_earlier_weeks_and_none_of_its_own_or_later(position, graded, scored):
    rows = of_week(graded, WEEKS[position])

    expected = stats.percentileofscore(sundays(scored, WEEKS[:position]), rows["score"].to_numpy(), kind="mean")

    assert rows["grade"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize("position", [0, 3, 103])
def test_a_provisional_grade_stands_among_the_stand_in_as_well(position, graded, scored):
    rows = of_week(graded, WEEKS[position])
    reference = np.concatenate([sundays(scored, WEEKS[:position]), STAND_IN])

    expected = stats.percentileofscore(reference, rows["score"].to_numpy(), kind="mean")

    assert rows["grade"].to_numpy() == pytest.approx(expected)


@pytest.mark.parametrize("cut", [1, 50, 105])
def test_weeks_graded_in_two_builds_equal_those_graded_in_one(cut, graded, scored):
    recorded = scored.filter(
        (pl.col("as_of_week") < WEEKS[cut]) & (pl.col("market_date") == pl.col("as_of_week") - dt.timedelta(days=1))
    ).select("as_of_week", "score")

    late = grade(scored.filter(pl.col("as_of_week") >= WEEKS[cut]), recorded)

    assert late.equals(graded.filter(pl.col("as_of_week") >= WEEKS[cut]))
