"""Contributions that are known are taken over, and only where row, model and code are the same."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import lightgbm
import numpy as np
import polars as pl
import pytest

from models_ml.learning.explanations import score_contributions
from models_ml.learning.frozen_model import FrozenModel
from orchestration.lib import known_contributions as store
from orchestration.lib.known_contributions import TABLE, forget_contributions, known_contributions
from orchestration.lib.warehouse import create_schemas
from tests.unit.orchestration.builds import build_of

WEEK = date(2024, 1, 22)
CONTEXT = build_of(WEEK, at=datetime(2024, 1, 22, tzinfo=UTC), recorded_at=datetime(2024, 1, 22, 1, tzinfo=UTC))
COLUMNS = ("rank_return_7d", "rank_volatility_30d")


def model_of(seed):
    generator = np.random.default_rng(seed)
    columns = generator.random((400, 2))
    booster = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "min_data_in_leaf": 5, "seed": seed},
        lightgbm.Dataset(columns, columns[:, 0] - columns[:, 1] * seed, feature_name=list(COLUMNS)),
        num_boost_round=5,
    )
    return FrozenModel("trader", date(2024, 1, 1), {"a": booster.model_to_string()}, COLUMNS, (WEEK, WEEK), 400)


def frame_of(seed=1, tokens=20, week=WEEK):
    values = np.random.default_rng(seed).random((tokens, 2)).astype(np.float32)
    return pl.DataFrame(
        {
            "as_of_week": [week] * tokens,
            "market_date": [week - timedelta(days=1)] * tokens,
            "token_id": [f"t{number:02d}" for number in range(tokens)],
            **{name: values[:, place] for place, name in enumerate(COLUMNS)},
        }
    ).with_columns(pl.when(pl.col("token_id") != "t03").then(pl.col(COLUMNS[0])).alias(COLUMNS[0]))


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        create_schemas(connection)
        yield connection


@pytest.fixture
def computed(monkeypatch):
    """Tokens of each call that computes."""
    calls = []

    def counted(model, frame):
        calls.append(sorted(frame["token_id"]))
        return score_contributions(model, frame)

    monkeypatch.setattr(store, "score_contributions", counted)
    return calls


def test_they_are_those_that_are_computed_to_the_bit_and_computed_once(connection, computed):
    model, frame = model_of(1), frame_of()
    expected = score_contributions(model, frame)

    first = known_contributions(connection, model, frame, CONTEXT)
    again = known_contributions(connection, model, frame.reverse(), CONTEXT)

    assert first.equals(expected)
    assert again.equals(expected.reverse())
    assert computed == [sorted(frame["token_id"])]


def test_rows_that_look_otherwise_are_computed_and_no_others(connection, computed):
    model, frame = model_of(1), frame_of()
    known_contributions(connection, model, frame, CONTEXT)
    moved = frame.with_columns(
        pl.when(pl.col("token_id") == "t07").then(0.5).otherwise(pl.col(COLUMNS[1])).cast(pl.Float32).alias(COLUMNS[1])
    )

    added = known_contributions(connection, model, moved, CONTEXT)

    assert computed[1:] == [["t07"]]
    assert added.equals(score_contributions(model, moved))


def test_two_tokens_that_look_the_same_are_computed_once_and_both_told(connection, computed):
    frame = pl.concat([frame_of(tokens=1), frame_of(tokens=1).with_columns(token_id=pl.lit("twin"))])

    added = known_contributions(connection, model_of(1), frame, CONTEXT)

    assert added["token_id"].to_list() == ["t00", "twin"]
    assert added["expected"].n_unique() == 1
    assert len(computed[0]) == 1


def test_another_model_and_other_code_take_nothing_over(connection, computed):
    frame = frame_of()
    known_contributions(connection, model_of(1), frame, CONTEXT)

    other = known_contributions(connection, model_of(2), frame, CONTEXT)
    known_contributions(connection, model_of(1), frame, replace(CONTEXT, code_version="0.0.0+other"))

    assert other.equals(score_contributions(model_of(2), frame))
    assert len(computed) == 3


def test_weeks_out_of_reach_and_other_code_are_forgotten(connection):
    model, reach = model_of(1), CONTEXT.correction_weeks + store.WEEKS_BEFORE_CORRECTIONS
    kept, gone = (WEEK - timedelta(weeks=weeks) for weeks in (reach, reach + 1))
    for seed, week in ((1, kept), (2, gone)):
        known_contributions(connection, model, frame_of(seed, week=week), CONTEXT)
    known_contributions(connection, model, frame_of(3), replace(CONTEXT, code_version="0.0.0+other"))

    forget_contributions(connection, CONTEXT)

    assert connection.execute(f"select distinct as_of_week from {TABLE}").fetchall() == [(kept,)]
