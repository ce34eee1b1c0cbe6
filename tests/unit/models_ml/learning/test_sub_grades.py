"""Sub-grades: contributions where the model sees the family, ranks with fixed signs elsewhere, null where too little is known."""

import datetime as dt

import polars as pl
import pytest
from pydantic import ValidationError

from models_ml.features.catalogue import FEATURE_NAMES
from models_ml.learning.dataset import MODEL_COLUMNS
from models_ml.learning.sub_grades import DESCRIPTIVE, MODEL, SubGrade, grade_families, sub_grades

WEEK = dt.date(2024, 1, 1)
TOKENS = [f"t{number}" for number in range(4)]


def rows(contributions=None, features=None):
    keys = pl.DataFrame({"as_of_week": [WEEK] * 4, "token_id": TOKENS})
    zero = dict.fromkeys((*MODEL_COLUMNS, "expected"), [0.0] * 4)
    known = dict.fromkeys(FEATURE_NAMES, [1.0] * 4)
    added = keys.with_columns(pl.Series(name, values) for name, values in (zero | (contributions or {})).items())
    values = keys.with_columns(
        pl.Series(name, column, dtype=pl.Float64) for name, column in (known | (features or {})).items()
    )
    return added, values


def graded(name, **kwargs):
    table = grade_families(*rows(**kwargs)).filter(pl.col("sub_grade") == name).sort("token_id")
    return table["grade"].to_list()


def test_the_seven_sub_grades_are_there_with_their_basis():
    assert {name: definition.basis for name, definition in sub_grades().items()} == {
        "technical": MODEL,
        "quantitative": MODEL,
        "fundamental": MODEL,
        "technology": DESCRIPTIVE,
        "community": DESCRIPTIVE,
        "on-chain": MODEL,
        "valuation": MODEL,
    }


def test_a_family_the_model_sees_is_graded_by_the_sum_of_its_contributions():
    moved = {"rank_return_7d": [0.0, 0.1, 0.2, 0.3], "rank_rsi_14d": [0.35, 0.0, 0.0, 0.0]}

    assert graded("technical", contributions=moved) == [87.5, 12.5, 37.5, 62.5]
    assert graded("quantitative", contributions=moved) == [50.0] * 4


def test_a_family_no_model_sees_is_graded_by_its_ranks():
    active = {"commits_4w": [1.0, 2.0, 3.0, 4.0], "commits_growth_12w": [1.0, 2.0, 3.0, 4.0]}

    assert graded("technology", features=active) == [12.5, 37.5, 62.5, 87.5]


def test_below_half_of_the_features_there_is_no_sub_grade():
    unknown = {key: [None, 1.0, 2.0, 3.0] for key in ("commits_4w", "commits_growth_12w", "authors_growth_12w")}

    table = grade_families(*rows(features=unknown)).filter(pl.col("sub_grade") == "technology").sort("token_id")

    assert table["grade"].is_null().to_list() == [True, False, False, False]
    assert table["coverage"].to_list() == [0.25, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"families": ["astrology"]}, "family 'astrology' is not in the catalogue"),
        ({"families": ["developers"], "signs": {"return_7d": 1}}, "feature 'return_7d' is not in"),
        ({"families": ["developers"], "signs": {"commits_4w": 2}}, "sign 2 of 'commits_4w' must be 1 or -1"),
    ],
)
def test_a_definition_that_cannot_work_is_refused(entry, message):
    with pytest.raises(ValidationError, match=message):
        SubGrade.model_validate(entry)
