"""Evaluation of a week: correlations as scipy has them, spreads by hand, and tokens without a score counted."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models_ml.learning.evaluation import evaluate_week, trailing_icir


def week_of(scores, returns, late_returns=None, *, is_liquid=None, volatility=None):
    """The three frames of a week of as many tokens as there are returns; a score of None is a token without a row."""
    count = len(returns)
    tokens = [f"t{number:03d}" for number in range(count)]
    published = [(token, score) for token, score in zip(tokens, scores, strict=True) if score is not None]
    spread = np.linspace(0.2, 2.0, count) if volatility is None else volatility
    return {
        "scores": pl.DataFrame(published, schema={"token_id": pl.String, "score": pl.Float64}, orient="row"),
        "outcomes": pl.DataFrame(
            {
                "token_id": tokens,
                "forward_return_14d": pl.Series(returns, dtype=pl.Float64),
                "forward_return_14d_lag1": pl.Series(
                    returns if late_returns is None else late_returns, dtype=pl.Float64
                ),
            }
        ),
        "eligible": pl.DataFrame(
            {
                "token_id": tokens,
                "is_liquid": [True] * count if is_liquid is None else is_liquid,
                "idiosyncratic_volatility_30d": pl.Series(spread, dtype=pl.Float32),
                "volatility_30d": pl.Series(spread, dtype=pl.Float32),
            }
        ),
    }


def metrics_of(frames):
    rows = evaluate_week(**frames).iter_rows(named=True)
    return {(row["model"], row["universe"], row["metric"]): row["value"] for row in rows}


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(20, 60))
def test_rank_ic_equals_that_of_scipy_with_ties_and_gaps(seed, count):
    rng = np.random.default_rng(seed)
    scores = [None if rng.random() < 0.1 else round(float(score), 1) for score in rng.normal(0, 1, count + 10)]
    returns, late = (
        [None if rng.random() < 0.1 else round(float(value), 2) for value in rng.normal(0, 0.2, count + 10)]
        for _ in range(2)
    )

    metrics = metrics_of(week_of(scores, returns, late))

    for name, outcome in (("rank_ic", returns), ("rank_ic_lag1", late)):
        pairs = [(s, r) for s, r in zip(scores, outcome, strict=True) if s is not None and r is not None]
        if len(pairs) >= 20:
            expected = stats.spearmanr(*zip(*pairs, strict=True)).statistic
            assert metrics["trader", "broad", name] == pytest.approx(expected, abs=1e-12)
        else:
            assert ("trader", "broad", name) not in metrics


def test_decile_spread_is_the_mean_late_return_of_the_best_tenth_less_that_of_the_worst():
    scores = [number / 100 for number in range(20)]
    late = [0.1, -0.3, *[5.0] * 16, 0.2, 0.4]

    metrics = metrics_of(week_of(scores, [0.0] * 20, late))

    assert metrics["trader", "broad", "decile_spread"] == pytest.approx((0.2 + 0.4) / 2 - (0.1 - 0.3) / 2)


def test_scores_that_are_all_equal_earn_no_spread():
    late = np.random.default_rng(2).normal(0, 0.2, 40).tolist()

    metrics = metrics_of(week_of([0.5] * 40, late))

    assert metrics["trader", "broad", "decile_spread"] == pytest.approx(0.0, abs=1e-12)
    assert ("trader", "broad", "rank_ic") not in metrics


def test_ties_across_the_edge_of_a_tenth_share_their_mean_return():
    scores = [0.0, *[0.5] * 18, 1.0]
    late = [-0.1, *[0.01 * number for number in range(18)], 0.3]

    metrics = metrics_of(week_of(scores, late))

    middle = np.mean(late[1:19])
    assert metrics["trader", "broad", "decile_spread"] == pytest.approx((0.3 + middle) / 2 - (-0.1 + middle) / 2)


def test_coverage_counts_tokens_without_a_score():
    scores = [None] * 5 + [0.01 * number for number in range(20)]
    returns = [0.1] * 20 + [None] * 5

    metrics = metrics_of(week_of(scores, returns, is_liquid=[number < 10 for number in range(25)]))

    assert metrics["trader", "broad", "tokens"] == 25
    assert metrics["trader", "broad", "coverage"] == pytest.approx(0.8)
    assert metrics["trader", "broad", "label_coverage"] == pytest.approx(0.8)
    assert metrics["trader", "liquid", "tokens"] == 10
    assert metrics["trader", "liquid", "coverage"] == pytest.approx(0.5)
    assert metrics["trader", "liquid", "label_coverage"] == 1.0


def test_scores_of_tokens_outside_the_universe_do_not_count():
    frames = week_of([0.01 * number for number in range(30)], [0.01 * number for number in range(30)])
    frames["eligible"] = frames["eligible"].head(25)

    metrics = metrics_of(frames)

    assert metrics["trader", "broad", "tokens"] == 25
    assert metrics["trader", "broad", "coverage"] == 1.0


def test_a_baseline_prefers_calm_tokens():
    returns = [0.3 - 0.01 * number for number in range(30)]

    metrics = metrics_of(week_of([0.01 * number for number in range(30)], returns))

    assert metrics["trader", "broad", "rank_ic"] == pytest.approx(-1.0)
    assert metrics["baseline_low_volatility", "broad", "rank_ic"] == pytest.approx(1.0)
    assert metrics["baseline_low_volatility_total", "broad", "rank_ic_lag1"] == pytest.approx(1.0)
    assert metrics["baseline_low_volatility", "broad", "decile_spread"] > 0


def test_a_correlation_over_fewer_than_twenty_tokens_is_left_out():
    is_liquid = [number < 19 for number in range(30)]

    metrics = metrics_of(week_of(list(range(30)), list(range(30)), is_liquid=is_liquid))

    assert ("trader", "broad", "rank_ic") in metrics
    assert ("trader", "liquid", "tokens") in metrics
    assert not {name for model, universe, name in metrics if universe == "liquid"} & {"rank_ic", "decile_spread"}


def test_a_universe_without_members_has_no_rows():
    metrics = metrics_of(week_of(list(range(25)), list(range(25)), is_liquid=[False] * 25))

    assert {universe for _, universe, _ in metrics} == {"broad"}


def test_trailing_icir_is_the_mean_over_the_sample_deviation_of_a_year_of_weeks():
    values = np.random.default_rng(3).normal(0.1, 0.1, 80)

    icir = trailing_icir(pl.DataFrame({"value": values}))

    assert icir == pytest.approx(values[-52:].mean() / values[-52:].std(ddof=1))


@pytest.mark.parametrize("values", [[], [0.1, 0.2] * 12, [0.1] * 30])
def test_trailing_icir_needs_half_a_year_of_weeks_that_differ(values):
    assert trailing_icir(pl.DataFrame({"value": pl.Series(values, dtype=pl.Float64)})) is None
