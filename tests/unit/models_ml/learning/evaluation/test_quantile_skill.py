"""Price ranges: losses as scikit-learn has them, coverage by counting, and skill only where volatility is known better."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_pinball_loss

from models_ml.learning.evaluation.quantile_skill import (
    coverage,
    pinball_losses,
    quantile_skill,
    with_volatility_benchmark,
)

START = dt.date(2020, 1, 6)


def ranges_of(seed, *, weeks=60, tokens=30):
    """Returns of a volatility that `true` knows and `guess` is off; quantiles are made of `true`."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.3, 2.0, weeks * tokens)
    frame = pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(weeks=week) for week in range(weeks) for _ in range(tokens)],
            "true": true,
            "guess": true * np.exp(rng.normal(0, 0.8, len(true))),
            "gain": np.expm1(true * (14 / 365) ** 0.5 * rng.normal(0, 1, len(true))),
        }
    )
    known = with_volatility_benchmark(frame, volatility="true", horizon_days=14)
    return known.rename({f"benchmark_{name}": name for name in ("q10", "q50", "q90")})


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), probability=st.sampled_from([0.05, 0.1, 0.5, 0.9]))
def test_the_loss_is_that_of_scikit_learn(seed, probability):
    rng = np.random.default_rng(seed)
    outcome, quantile = rng.normal(0, 1, 50), rng.normal(0, 1, 50)

    loss = pinball_losses(outcome, quantile, probability).mean()

    assert loss == pytest.approx(mean_pinball_loss(outcome, quantile, alpha=probability))


def test_the_benchmark_has_the_quantiles_of_a_log_normal_return():
    frame = with_volatility_benchmark(pl.DataFrame({"sigma": [0.8, None]}), volatility="sigma", horizon_days=90)

    scale = 0.8 * (90 / 365) ** 0.5
    for name, probability in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9)):
        expected = stats.lognorm.ppf(probability, scale) - 1
        assert frame[f"benchmark_{name}"].to_list() == [pytest.approx(expected), None]


def test_quantiles_of_the_true_volatility_beat_a_guess_and_stand_where_they_say():
    frame = with_volatility_benchmark(ranges_of(1, tokens=200), volatility="guess", horizon_days=14)

    table = quantile_skill(frame, outcome="gain", block=2)

    ends = table.filter(pl.col("quantile").is_in(["q10", "q90", "mean"]))
    assert table["quantile"].to_list() == ["q10", "q50", "q90", "mean"]
    assert (ends["skill_low"] > 0).all()
    assert table["below"].to_list()[:3] == pytest.approx([0.1, 0.5, 0.9], abs=0.03)
    assert table["pinball"][3] == pytest.approx(table["pinball"][:3].mean())
    assert table["skill"][0] == pytest.approx(1 - table["pinball"][0] / table["benchmark_pinball"][0])


def test_the_benchmark_against_itself_has_no_skill():
    table = quantile_skill(
        with_volatility_benchmark(ranges_of(2), volatility="true", horizon_days=14), outcome="gain", block=2
    )

    assert table["skill"].to_list() == pytest.approx([0, 0, 0, 0])


def test_coverage_is_counted_by_year_with_both_misses():
    frame = ranges_of(3, weeks=80).with_columns(year=pl.col("as_of_week").dt.year())

    table = coverage(frame, outcome="gain", block=2, by=["year"])

    assert table["year"].to_list() == [2020, 2021]
    for row in table.iter_rows(named=True):
        year = frame.filter(pl.col("year") == row["year"])
        assert row["coverage"] == pytest.approx(year["gain"].is_between(year["q10"], year["q90"]).mean())
        assert row["below"] == pytest.approx((year["gain"] < year["q10"]).mean())
        assert row["coverage"] + row["below"] + row["above"] == pytest.approx(1)
        assert row["width"] == pytest.approx((year["q90"] - year["q10"]).mean())
        assert row["coverage_low"] < 0.8 < row["coverage_high"]


def test_rows_without_an_outcome_do_not_count():
    frame = ranges_of(4)
    unknown = frame.with_columns(gain=pl.lit(None, dtype=pl.Float64))

    assert coverage(pl.concat([frame, unknown]), outcome="gain", block=2).equals(
        coverage(frame, outcome="gain", block=2)
    )
