"""The chance model: it learns what leads to a double, says nothing of what cannot be known, and calibrates only where that helps."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models_ml.learning.dataset import LeakError
from models_ml.screens.chances import (
    CHANCE_COLUMNS,
    READ_FEATURES,
    Line,
    chance_frame,
    choose_line,
    predict_chances,
    train_chances,
)

FIRST = date(2020, 1, 6)
REFIT = date(2022, 1, 3)


def market(*, weeks=60, tokens=40, strength=1.5, seed=3):
    """Rows of a universe in which tokens of high turnover double more often, and their labels."""
    random = np.random.default_rng(seed)
    count = weeks * tokens
    features = {name: random.normal(0, 1, count) for name in READ_FEATURES}
    features["volatility_90d"] = np.exp(random.normal(0, 0.3, count))
    chance = 1 / (1 + np.exp(2 - strength * features["turnover_30d"]))
    is_2x = random.random(count) < chance
    is_3x = is_2x & (random.random(count) < 0.3)
    keys = {
        "as_of_week": [FIRST + timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
        "token_id": [f"t{token:02}" for _ in range(weeks) for token in range(tokens)],
    }
    labels = pl.DataFrame({**keys, "forward_is_2x": is_2x, "forward_is_3x": is_3x})
    return pl.DataFrame({**keys, **features}), labels


@pytest.fixture(scope="module")
def trained():
    rows, labels = market()
    return train_chances(chance_frame(rows), labels, refit=REFIT)


def test_tokens_that_double_more_often_get_the_higher_chance(trained):
    rows, labels = market(seed=4)

    said = predict_chances(trained, chance_frame(rows)).join(labels, on=["as_of_week", "token_id"])

    held, other = (said.filter(pl.col("forward_is_2x") == value)["p_2x_90d"].mean() for value in (True, False))
    assert held > other + 0.05
    assert said["p_2x_90d"].mean() == pytest.approx(labels["forward_is_2x"].mean(), abs=0.04)


def test_a_treble_is_never_likelier_than_a_double(trained):
    said = predict_chances(trained, chance_frame(market(seed=5)[0]))

    assert (said["p_3x_90d"] <= said["p_2x_90d"]).all()
    assert said["p_3x_90d"].is_between(0, 1).all()


def test_the_same_rows_in_any_order_give_the_same_model(trained):
    rows, labels = market()

    again = train_chances(chance_frame(rows.sample(fraction=1.0, shuffle=True, seed=2)), labels.reverse(), refit=REFIT)

    assert again.version == trained.version
    assert again.data_hash == trained.data_hash


def test_a_week_is_scored_from_its_own_rows_alone(trained):
    rows, _ = market()
    last = rows["as_of_week"].max()
    other_past = rows.with_columns(
        pl.when(pl.col("as_of_week") == last).then(name).otherwise(pl.col(name) * 3 + 1).alias(name)
        for name in READ_FEATURES
    )

    alone, beside = (
        predict_chances(trained, chance_frame(each)).filter(pl.col("as_of_week") == last) for each in (rows, other_past)
    )

    assert alone.equals(beside)


def test_a_column_that_looks_ahead_is_refused():
    rows, labels = market(weeks=2)

    with pytest.raises(LeakError, match="forward_is_2x"):
        chance_frame(rows.join(labels, on=["as_of_week", "token_id"]))


def test_unknown_features_stay_unknown_and_are_scored(trained):
    rows = market(weeks=1)[0].with_columns(pl.lit(None, pl.Float64).alias("turnover_30d"))
    frame = chance_frame(rows)

    assert frame["rank_turnover_30d"].null_count() == rows.height
    assert predict_chances(trained, frame)["p_2x_90d"].null_count() == 0


def test_without_an_outcome_there_is_nothing_to_train_on():
    rows, labels = market(weeks=2)
    unknown = labels.with_columns(forward_is_2x=pl.lit(None, pl.Boolean))

    with pytest.raises(ValueError, match="no row of the 80"):
        train_chances(chance_frame(rows), unknown, refit=REFIT)


def said_before(*, logit_factor=1.0, logit_shift=0.0, weeks=104, seed=6):
    """Past probabilities whose logit is off by a factor and a shift, and what came."""
    random = np.random.default_rng(seed)
    tokens = 40
    logit = random.normal(-1.5, 1.0, weeks * tokens)
    happened = random.random(weeks * tokens) < 1 / (1 + np.exp(-logit))
    raw = 1 / (1 + np.exp(-(logit * logit_factor + logit_shift)))
    keys = {
        "as_of_week": [FIRST + timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
        "token_id": [f"t{token:02}" for _ in range(weeks) for token in range(tokens)],
    }
    past = pl.DataFrame({**keys, "raw_2x": raw, "raw_3x": raw})
    return past, pl.DataFrame({**keys, "forward_is_2x": happened, "forward_is_3x": happened})


def test_probabilities_that_were_too_sure_are_drawn_in():
    line = choose_line(*said_before(logit_factor=3.0, logit_shift=1.0), 2)

    assert line.factor == pytest.approx(1 / 3, abs=0.05)
    assert line.shift == pytest.approx(-1 / 3, abs=0.1)


def test_a_line_that_did_not_hold_on_later_weeks_is_not_used():
    past, labels = said_before()
    # In the older two thirds nearly nobody doubled, in the newer third it came as said: a line fitted on the old would harm.
    edge = FIRST + timedelta(weeks=69)
    lean = labels.with_columns(
        forward_is_2x=pl.col("forward_is_2x") & ((pl.col("as_of_week") >= edge) | pl.col("token_id").eq("t00"))
    )

    assert choose_line(past, lean, 2) == Line()


@pytest.mark.parametrize("weeks", [0, 51])
def test_few_past_weeks_calibrate_nothing(weeks):
    assert choose_line(*said_before(logit_factor=3.0, weeks=weeks), 2) == Line()


def test_columns_are_named_once_and_none_looks_ahead():
    assert len(set(CHANCE_COLUMNS)) == len(CHANCE_COLUMNS)
    assert not [name for name in CHANCE_COLUMNS if "forward" in name]
