"""Evaluation of a week: correlations as scipy has them, spreads and groups by hand, and tokens without a score counted."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models_ml.learning.evaluation import evaluate_groups, evaluate_week, trailing_icir
from models_ml.learning.evaluation.rank_skill import KNOWN_FACTORS


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


def metrics_of(frames, *, model="trader", horizon_days=14):
    rows = evaluate_week(**frames, model=model, horizon_days=horizon_days).iter_rows(named=True)
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


def test_another_horizon_has_its_own_returns_and_names_its_baselines_apart():
    returns = [0.01 * number for number in range(30)]
    frames = week_of(returns, [0.0] * 30)
    frames["outcomes"] = frames["outcomes"].with_columns(
        forward_return_90d=pl.Series(returns), forward_return_90d_lag1=-pl.Series(returns)
    )

    metrics = metrics_of(frames, model="investor", horizon_days=90)

    assert metrics["investor", "broad", "rank_ic"] == pytest.approx(1.0)
    assert metrics["investor", "broad", "rank_ic_lag1"] == pytest.approx(-1.0)
    assert {model for model, _, _ in metrics} == {
        "investor",
        "baseline_low_volatility_90d",
        "baseline_low_volatility_total_90d",
    }


WEEK = date(2024, 1, 1)


def grouped_panel(scores, returns, *, caps_usd, sectors, week=WEEK, **factors):
    """A week's panel; a known factor that is not given is unknown."""
    known = {name: pl.Series(factors.get(name, [None] * len(scores)), dtype=pl.Float64) for name in KNOWN_FACTORS}
    caps = [None if cap is None else math.log(cap) for cap in caps_usd]
    return pl.DataFrame(
        {
            "as_of_week": [week] * len(scores),
            "token_id": [f"t{number:03d}" for number in range(len(scores))],
            "is_liquid": [False] * len(scores),
            "score": pl.Series(scores, dtype=pl.Float64),
            "sector": pl.Series(sectors, dtype=pl.String),
            "forward_return_14d": pl.Series(returns, dtype=pl.Float64),
            "forward_return_14d_lag1": -pl.Series(returns, dtype=pl.Float64),
            **known,
            "log_market_cap": pl.Series(caps, dtype=pl.Float64),
        }
    )


def groups_of(panel):
    rows = evaluate_groups(panel, model="trader", horizon_days=14)
    assert rows.select("as_of_week", "universe", "metric").is_unique().all()
    assert set(rows["model"]) <= {"trader"}
    return {(row["universe"], row["metric"]): row["value"] for row in rows.iter_rows(named=True)}


def test_a_group_is_ranked_within_itself_with_and_without_a_day_of_lag():
    # AI is ordered rightly and DeFi the wrong way round; neighbours of the 20 swap places in Meme, so that every difference of ranks
    # is 1 and the correlation 1 - 6 * 20 / (20 * (400 - 1)).
    ascending = list(range(20))
    swapped = [number + 1 if number % 2 == 0 else number - 1 for number in range(20)]
    panel = grouped_panel(
        [*ascending, *(100 + number for number in ascending), *ascending],
        [*ascending, *reversed(ascending), *swapped],
        caps_usd=[5e7] * 60,
        sectors=["AI"] * 20 + ["DeFi"] * 20 + ["Meme"] * 20,
    )

    found = groups_of(panel)

    assert found["sector_AI", "rank_ic"] == pytest.approx(1.0)
    assert found["sector_AI", "rank_ic_lag1"] == pytest.approx(-1.0)
    assert found["sector_DeFi", "rank_ic"] == pytest.approx(-1.0)
    assert found["sector_Meme", "rank_ic"] == pytest.approx(1 - 6 * 20 / (20 * 399))
    assert found["sector_Meme", "tokens"] == 20
    assert found["size_20m_to_100m", "tokens"] == 60


def test_size_buckets_begin_at_their_edges_and_hold_no_token_of_unknown_size():
    caps = [19.99e6] * 20 + [20.01e6] * 21 + [99.99e6] + [100.01e6] * 20 + [1.01e9] * 22 + [None] * 20
    panel = grouped_panel(range(len(caps)), range(len(caps)), caps_usd=caps, sectors=[None] * len(caps))

    found = groups_of(panel)

    assert {universe: value for (universe, metric), value in found.items() if metric == "tokens"} == {
        "size_below_20m": 20,
        "size_20m_to_100m": 22,
        "size_100m_to_1b": 20,
        "size_above_1b": 22,
    }
    assert {universe for universe, _ in found if not universe.startswith("size_")} == {"broad"}


def test_a_group_with_fewer_than_twenty_scored_and_known_tokens_has_no_rows_not_even_a_count():
    scores = [*range(19), None, *range(20)]
    panel = grouped_panel(scores, range(40), caps_usd=[None] * 40, sectors=["AI"] * 20 + ["DeFi"] * 20)

    assert {universe for universe, _ in groups_of(panel)} == {"broad", "sector_DeFi"}


def test_weeks_are_ranked_apart():
    first = grouped_panel(range(20), range(20), caps_usd=[5e7] * 20, sectors=[None] * 20)
    second = grouped_panel(
        range(20, 40), range(20, 0, -1), caps_usd=[5e7] * 20, sectors=[None] * 20, week=date(2024, 1, 8)
    )

    rows = evaluate_groups(pl.concat([first, second]), model="trader", horizon_days=14)

    ics = rows.filter((pl.col("metric") == "rank_ic") & (pl.col("universe") == "size_20m_to_100m"))
    assert ics["as_of_week"].to_list() == [WEEK, date(2024, 1, 8)]
    assert ics["value"].to_list() == pytest.approx([1.0, -1.0])


def test_the_partial_rank_ic_is_of_the_lagged_return_and_leaves_out_what_a_known_factor_explains():
    rng = np.random.default_rng(4)
    factor, own = rng.normal(0, 1, 40), rng.normal(0, 1, 40)
    panel = grouped_panel(factor + own, own, caps_usd=[5e7] * 40, sectors=["AI"] * 40, return_7d=factor)

    found = groups_of(panel)

    # By hand: the ranks of the score less their regression on those of the one factor that is known, against those of the return.
    score, known, late = (stats.rankdata(values) for values in (factor + own, factor, -own))
    slope = np.cov(score, known)[0, 1] / known.var(ddof=1)
    expected = np.corrcoef(score - slope * known, late)[0, 1]
    for universe in ("broad", "size_20m_to_100m", "sector_AI"):
        assert found[universe, "partial_rank_ic"] == pytest.approx(expected, abs=1e-9)
    assert expected < found["sector_AI", "rank_ic_lag1"] < 0


def test_a_score_that_is_a_known_factor_has_no_partial_rank_ic():
    factor = np.random.default_rng(5).normal(0, 1, 40)
    panel = grouped_panel(2 * factor, range(40), caps_usd=[5e7] * 40, sectors=["AI"] * 40, volatility_30d=factor)

    assert {metric for _, metric in groups_of(panel)} == {"rank_ic", "rank_ic_lag1", "tokens"}


def test_trailing_icir_is_the_mean_over_the_sample_deviation_of_a_year_of_weeks():
    values = np.random.default_rng(3).normal(0.1, 0.1, 80)

    icir = trailing_icir(pl.DataFrame({"value": values}))

    assert icir == pytest.approx(values[-52:].mean() / values[-52:].std(ddof=1))


@pytest.mark.parametrize("values", [[], [0.1, 0.2] * 12, [0.1] * 30])
def test_trailing_icir_needs_half_a_year_of_weeks_that_differ(values):
    assert trailing_icir(pl.DataFrame({"value": pl.Series(values, dtype=pl.Float64)})) is None
