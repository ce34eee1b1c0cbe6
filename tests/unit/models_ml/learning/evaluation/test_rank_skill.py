"""Rank skill: correlations as scipy and statsmodels have them, and skill told from a factor that anybody can sort by."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models_ml.learning.evaluation.rank_skill import (
    KNOWN_FACTORS,
    share_of_groups_above_zero,
    weekly_partial_rank_ic,
    weekly_rank_ic,
    with_groups,
)

OUTCOME = "forward_return_14d_lag1"


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_weekly_rank_ic_is_that_of_scipy_with_ties_and_gaps(seed, random_panel):
    rng = np.random.default_rng(seed)
    panel = random_panel(seed, weeks=3, tokens=40, skill=0.3).with_columns(
        pl.col("score").round(1), pl.col(OUTCOME).round(2)
    )
    holes = pl.Series(rng.random(panel.height) < 0.1)
    panel = panel.with_columns(score=pl.when(~holes).then("score"))

    weekly = weekly_rank_ic(panel)

    for row in weekly.iter_rows(named=True):
        week = panel.filter(pl.col("as_of_week") == row["as_of_week"]).drop_nulls("score")
        assert row["value"] == pytest.approx(stats.spearmanr(week["score"], week[OUTCOME]).statistic, abs=1e-12)
        assert row["tokens"] == week.height


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_partial_rank_ic_is_the_correlation_with_residuals_of_statsmodels(seed, random_panel):
    panel = random_panel(seed, weeks=2, tokens=35, skill=0.4, factor=0.4)

    weekly = weekly_partial_rank_ic(panel)

    for row in weekly.iter_rows(named=True):
        week = panel.filter(pl.col("as_of_week") == row["as_of_week"])
        ranks = np.column_stack([stats.rankdata(week[name]) for name in KNOWN_FACTORS])
        residual = sm.OLS(stats.rankdata(week["score"]), sm.add_constant(ranks)).fit().resid
        expected = stats.pearsonr(residual, stats.rankdata(week[OUTCOME])).statistic
        assert row["value"] == pytest.approx(expected, abs=1e-10)


def test_a_score_that_is_a_factor_has_a_rank_ic_and_no_partial_one(random_panel):
    panel = random_panel(1, weeks=30, tokens=80, factor=1.0).with_columns(score=pl.col("volatility_30d").exp())

    assert weekly_rank_ic(panel)["value"].mean() > 0.5
    assert weekly_partial_rank_ic(panel).is_empty()


def test_skill_beside_a_factor_survives_its_removal(random_panel):
    panel = random_panel(2, weeks=60, tokens=100, skill=0.3, factor=1.0).with_columns(
        score=pl.col("score") + 3 * pl.col("volatility_30d")
    )

    plain, partial = weekly_rank_ic(panel)["value"].mean(), weekly_partial_rank_ic(panel)["value"].mean()

    assert plain > 0.6
    assert 0.1 < partial < 0.35


def test_an_unknown_control_counts_as_the_mean_and_one_unknown_everywhere_changes_nothing(random_panel):
    panel = random_panel(3, weeks=4, tokens=50, skill=0.3)
    controls = KNOWN_FACTORS[:3]
    with_mean = panel.with_columns(
        volatility_30d=pl.when(pl.col("token_id") != "t000")
        .then("volatility_30d")
        .otherwise(pl.col("volatility_30d").filter(pl.col("token_id") != "t000").mean().over("as_of_week"))
    )
    with_hole = panel.with_columns(volatility_30d=pl.when(pl.col("token_id") != "t000").then("volatility_30d"))
    without = panel.with_columns(beta_btc_30d=pl.lit(None, dtype=pl.Float64))

    holed = weekly_partial_rank_ic(with_hole, controls=controls)

    assert holed["value"].to_list() == pytest.approx(
        weekly_partial_rank_ic(with_mean, controls=controls)["value"].to_list()
    )
    assert weekly_partial_rank_ic(without, controls=[*controls, "beta_btc_30d"])["value"].to_list() == pytest.approx(
        weekly_partial_rank_ic(without, controls=controls)["value"].to_list()
    )


def test_a_score_that_is_not_a_number_leaves_out_its_token_and_not_the_week(random_panel):
    panel = random_panel(6, weeks=2, tokens=40, skill=0.3)
    is_first = pl.col("token_id") == "t000"
    broken = panel.with_columns(score=pl.when(is_first).then(float("nan")).otherwise("score"))

    for measure in (weekly_rank_ic, weekly_partial_rank_ic):
        assert measure(broken).equals(measure(panel.filter(~is_first)))


def test_groups_are_ranked_apart_and_small_ones_left_out(random_panel):
    panel = random_panel(4, weeks=2, tokens=60, skill=0.5).with_columns(
        sector=pl.when(pl.col("token_id") < "t030")
        .then(pl.lit("defi"))
        .when(pl.col("token_id") < "t055")
        .then(pl.lit("gaming"))
        .when(pl.col("token_id") < "t058")
        .then(pl.lit("meme"))
    )

    grouped = weekly_rank_ic(panel, by=["sector"])
    partial = weekly_partial_rank_ic(panel, by=["sector"])

    alone = weekly_rank_ic(panel.filter(pl.col("sector") == "gaming"))
    assert grouped["sector"].to_list() == ["defi", "gaming"] * 2
    assert grouped.filter(pl.col("sector") == "gaming")["value"].to_list() == alone["value"].to_list()
    assert partial["sector"].to_list() == ["defi", "gaming"] * 2


def test_order_of_rows_and_growing_transforms_of_the_score_change_nothing(random_panel):
    panel = random_panel(5, weeks=5, tokens=40, skill=0.3)

    shuffled = panel.sample(fraction=1.0, shuffle=True, seed=1).with_columns(pl.col("score").exp())

    for measure in (weekly_rank_ic, weekly_partial_rank_ic):
        assert measure(shuffled)["value"].to_list() == pytest.approx(measure(panel)["value"].to_list(), abs=1e-12)


def test_a_size_bucket_begins_at_its_edge_and_the_year_is_that_of_the_monday():
    caps = [1e6, 20e6 * 1.0001, 99e6, 100e6 * 1.0001, 2e9, None]
    panel = pl.DataFrame(
        {
            "as_of_week": [dt.date(2020, 12, 28)] * 5 + [dt.date(2021, 1, 4)],
            "log_market_cap": [None if cap is None else float(np.log(cap)) for cap in caps],
        }
    )

    groups = with_groups(panel)

    expected = ["below_20m", "20m_to_100m", "20m_to_100m", "100m_to_1b", "above_1b", None]
    assert groups["size_bucket"].to_list() == expected
    assert groups["year"].to_list() == [2020] * 5 + [2021]


def test_the_share_of_groups_above_zero_counts_each_group_once():
    summary = pl.DataFrame({"mean": [0.1, -0.1, 0.02, 0.0]})

    assert share_of_groups_above_zero(summary) == 0.5
    with pytest.raises(ValueError, match="no group has a mean"):
        share_of_groups_above_zero(summary.head(0))
