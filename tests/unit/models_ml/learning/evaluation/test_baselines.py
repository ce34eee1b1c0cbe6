"""Baselines: each sorts by its column, and chance deals whole rows within a week and finds nothing."""

import polars as pl
import pytest

from models_ml.learning.evaluation.baselines import BASELINE_SCORES, baseline_scores, permuted_within_weeks
from models_ml.learning.evaluation.rank_skill import weekly_rank_ic

OUTCOME = "forward_return_14d_lag1"
KEYS = ["as_of_week", "token_id"]


def test_every_baseline_scores_the_rows_the_model_scores(random_panel):
    panel = random_panel(1, weeks=3, tokens=30)
    holes = panel.with_columns(score=pl.when(pl.col("token_id") != "t007").then("score"))

    scores = baseline_scores(holes, seed=1)

    assert scores.columns == [*KEYS, "model", "score"]
    assert set(scores["model"]) == {*BASELINE_SCORES, "permuted"}
    assert scores.group_by("model").len()["len"].to_list() == [87] * 6
    assert "t007" not in scores["token_id"]


@pytest.mark.parametrize(
    ("name", "column", "sign"), [("reversal_7d", "return_7d", -1), ("momentum_14d", "return_14d", 1)]
)
def test_a_baseline_prefers_the_end_it_is_named_for(random_panel, name, column, sign):
    panel = random_panel(2, weeks=2, tokens=25)

    scores = baseline_scores(panel, seed=1).filter(pl.col("model") == name)

    joined = scores.join(panel.select(*KEYS, column), on=KEYS)
    assert joined["score"].to_list() == (sign * joined[column]).to_list()


def test_the_low_volatility_baseline_finds_the_low_volatility_effect_and_chance_does_not(random_panel):
    panel = random_panel(3, weeks=80, tokens=60, skill=0.5, factor=-0.5)
    outcomes = panel.select(*KEYS, OUTCOME)

    mean = {
        name: weekly_rank_ic(frame.join(outcomes, on=KEYS))["value"].mean()
        for (name,), frame in baseline_scores(panel, seed=1).partition_by("model", as_dict=True).items()
    }

    assert mean["low_volatility"] > 0.3
    assert abs(mean["permuted"]) < 0.04


def test_dealing_keeps_the_rows_of_a_week_whole(random_panel):
    panel = random_panel(4, weeks=4, tokens=30)

    dealt = permuted_within_weeks(panel, seed=5)

    values = [name for name in panel.columns if name not in KEYS]
    for week, before in panel.partition_by("as_of_week", as_dict=True).items():
        after = dealt.filter(pl.col("as_of_week") == week[0])
        assert after["token_id"].to_list() == before["token_id"].to_list()
        assert after.select(values).sort("score").equals(before.select(values).sort("score"))
        assert not after.equals(before)


def test_dealing_depends_on_the_seed_and_not_on_the_order_of_rows(random_panel):
    panel = random_panel(5, weeks=3, tokens=25)

    dealt = permuted_within_weeks(panel, seed=1)

    assert permuted_within_weeks(panel.reverse(), seed=1).equals(dealt)
    assert not permuted_within_weeks(panel, seed=2).equals(dealt)


def test_an_empty_frame_deals_to_an_empty_one(random_panel):
    panel = random_panel(6, weeks=1, tokens=2).head(0)

    assert permuted_within_weeks(panel, seed=1).equals(panel)
