"""Grades of a long run of weeks: provisional until two years of earlier scores exist, then among exactly those.

The reference is put together where the weeks of a build are (`orchestration.lib.calls`); it is tested here with the grades it serves.
"""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy import stats

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.learning import trader_model
from models_ml.learning.dataset import MARKET_COLUMNS
from models_ml.learning.grades import MINIMUM_REFERENCE_WEEKS, market_part
from models_ml.learning.trader_model import train
from orchestration.lib.calls import WeeklyInputs, build_calls
from orchestration.lib.registry import ModelRegistry
from orchestration.lib.run_context import RunContext
from orchestration.lib.versions import create_versioned_tables

REFIT = dt.date(2022, 1, 3)
WEEKS = [REFIT + dt.timedelta(days=7 * week) for week in range(MINIMUM_REFERENCE_WEEKS + 3)]
TOKENS = 20


@pytest.fixture(scope="module")
def inputs():
    """Random features of twenty tokens over all weeks, in a market that turns."""
    rng = np.random.default_rng(9)
    count = TOKENS * len(WEEKS)
    weekly = pl.DataFrame(
        {
            "as_of_week": [week for week in WEEKS for _ in range(TOKENS)],
            "token_id": [f"t{token:02d}" for token in range(TOKENS)] * len(WEEKS),
            "symbol": [f"T{token:02d}" for token in range(TOKENS)] * len(WEEKS),
            "is_liquid": [token % 2 == 0 for token in range(TOKENS)] * len(WEEKS),
            "coverage": [1.0] * count,
            **{name: rng.random(count) for name in (*MODEL_INPUT_NAMES, *MARKET_COLUMNS)},
        },
    )
    market = pl.DataFrame({"as_of_week": WEEKS}).with_columns(
        pl.Series(name, rng.normal(0, 1, len(WEEKS))) for name in ("btc_to_sma_100d", "btc_to_sma_200d", "breadth_50d")
    )
    return WeeklyInputs(weekly=weekly, market=market.with_columns(pl.col("breadth_50d").clip(0, 1)))


@pytest.fixture(scope="module")
def stand_in():
    """Out-of-fold scores of the first model's training weeks, above nearly all that follow."""
    return pl.DataFrame(
        {"as_of_week": [REFIT - dt.timedelta(days=28)] * 5, "token_id": list("abcde"), "score_cross_section": [0.4] * 5}
    )


@pytest.fixture(scope="module")
def graded(panel_of, inputs, stand_in, tmp_path_factory):
    panel = panel_of(10, tokens=30, weeks=20, strength=0.2)
    registry = ModelRegistry(tmp_path_factory.mktemp("models"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trader_model, "RANK_ROUNDS", 20)
        patch.setattr(trader_model, "CALL_ROUNDS", 5)
        registry.freeze(train(panel.frame, panel.labels, refit=REFIT), reference=stand_in)
    recorded_at = dt.datetime.combine(WEEKS[-1], dt.time(1), tzinfo=dt.UTC)
    context = RunContext(
        build_id="run-1",
        as_of_week=WEEKS[-1],
        data_source="simulated",
        input_cutoff=recorded_at,
        inputs_hash="in",
        code_version="abc",
        changed_from=None,
        rebuild_from=None,
        rebuild_to=None,
        version_reason=None,
        correction_weeks=8,
        recorded_at=recorded_at,
    )
    with duckdb.connect() as connection:
        create_versioned_tables(connection)
        build_calls(connection, inputs, registry, context)
        return connection.execute("select * from learning.trader_grades_current order by as_of_week, token_id").pl()


def scores_of(graded, weeks):
    return graded.filter(pl.col("as_of_week").is_in(weeks))["score"].to_numpy()


def grades_of(graded, week):
    return graded.filter(pl.col("as_of_week") == week)["trader_grade"].to_numpy()


def test_every_token_of_every_week_has_a_grade(graded, inputs):
    assert graded.height == inputs.weekly.height
    assert graded["trader_grade"].is_between(0, 100).all()
    assert graded["trader_rank"].is_between(0, 100).all()


def test_grades_are_provisional_until_104_earlier_weeks_have_scores(graded):
    provisional = graded.filter(pl.col("is_grade_provisional"))["as_of_week"].unique().sort().to_list()

    assert provisional == WEEKS[:104]


@pytest.mark.parametrize("position", [104, 106])
def test_a_grade_stands_among_all_earlier_scores_and_none_of_its_own_week_or_later(position, graded):
    week, earlier = WEEKS[position], WEEKS[:position]

    expected = stats.percentileofscore(scores_of(graded, earlier), scores_of(graded, [week]), kind="mean")

    assert grades_of(graded, week) == pytest.approx(expected)


@pytest.mark.parametrize("position", [0, 3, 103])
def test_a_provisional_grade_stands_among_the_stand_in_as_well(position, graded, inputs, stand_in):
    week, earlier = WEEKS[position], WEEKS[:position]
    # No market is known of the stand-in's weeks, so they carry no market part.
    reference = np.concatenate([scores_of(graded, earlier), stand_in["score_cross_section"].to_numpy()])

    expected = stats.percentileofscore(reference, scores_of(graded, [week]), kind="mean")

    assert grades_of(graded, week) == pytest.approx(expected)
    assert market_part(inputs.market)["as_of_week"].min() > stand_in["as_of_week"].max()
