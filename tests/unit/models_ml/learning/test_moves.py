"""The calls head: probabilities of a move and of its direction."""

import datetime as dt

import polars as pl
import pytest

from models_ml.learning.dataset import RANK_COLUMNS, RATIO_COLUMNS, LeakError
from models_ml.learning.moves import predict_moves, train_moves

REFIT = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def panel(panel_of):
    return panel_of(2, tokens=60, weeks=40, strength=0.3)


@pytest.fixture(scope="module")
def model(panel):
    return train_moves(panel.frame, panel.labels, refit=REFIT)


def test_a_second_training_gives_the_same_model_whatever_the_order_of_rows(panel, model):
    again = train_moves(panel.frame.sample(fraction=1, shuffle=True, seed=1), panel.labels, refit=REFIT)

    assert again == model
    assert model.version.startswith("calls-2024-01-01-")


def test_base_rates_are_the_shares_of_the_outcomes(panel, model):
    outcomes = panel.labels["forward_barrier"]

    assert model.constants["bullish"] == pytest.approx((outcomes == 1).mean())
    assert model.constants["bearish"] == pytest.approx((outcomes == -1).mean())
    assert sum(model.constants.values()) == pytest.approx(1.0)


def test_neither_booster_sees_the_state_of_the_market(model):
    assert set(model.columns) == {*RANK_COLUMNS, *RATIO_COLUMNS}


def test_the_planted_direction_is_found(panel, model):
    predicted = predict_moves(model, panel.frame).join(panel.labels, on=["as_of_week", "token_id"])
    moved = predicted.filter(pl.col("forward_barrier") != 0)

    assert (
        moved.filter(pl.col("forward_barrier") == 1)["p_up_given_move"].mean()
        > 0.1 + moved.filter(pl.col("forward_barrier") == -1)["p_up_given_move"].mean()
    )


def test_every_row_gets_probabilities_even_without_one_known_feature(panel, model):
    unknown = panel.frame.head(3).with_columns(pl.lit(None, dtype=pl.Float32).alias(name) for name in model.columns)

    predicted = predict_moves(model, unknown)

    assert predicted.columns == ["as_of_week", "token_id", "p_move", "p_up_given_move"]
    assert predicted["p_move"].is_between(0, 1).all()
    assert predicted["p_up_given_move"].is_between(0, 1).all()


def test_rows_without_an_outcome_are_not_trained_on(panel, model):
    last = panel.frame["as_of_week"].max()
    unknown = panel.labels.with_columns(forward_barrier=pl.when(pl.col("as_of_week") < last).then("forward_barrier"))

    trained = train_moves(panel.frame, unknown, refit=REFIT)

    assert trained.training_rows == model.training_rows - 60
    assert trained == train_moves(panel.frame.filter(pl.col("as_of_week") < last), panel.labels, refit=REFIT)


def test_a_label_joined_into_the_frame_is_refused(panel):
    with pytest.raises(LeakError, match="forward_barrier"):
        train_moves(panel.frame.join(panel.labels, on=["as_of_week", "token_id"]), panel.labels, refit=REFIT)


def test_a_frame_that_lacks_columns_of_the_model_is_refused(panel, model):
    with pytest.raises(ValueError, match=f"{model.version} needs the columns .*'kurtosis_90d'.* make rebuild"):
        predict_moves(model, panel.frame.drop("kurtosis_90d"))
