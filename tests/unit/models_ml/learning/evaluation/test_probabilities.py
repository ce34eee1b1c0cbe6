"""Probabilities: scores as scikit-learn has them, calibration errors by a slow loop, slopes and errors as statsmodels has them."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from models_ml.learning.evaluation.calibration_slope import calibration_slopes
from models_ml.learning.evaluation.probabilities import (
    binary_brier_scores,
    brier_scores,
    calibration_error,
    one_class,
    top_label,
)

START = dt.date(2020, 1, 6)
CLASSES = ("bullish", "neutral", "bearish")
NUMBERS = (1, 0, -1)


def weeks_of(count, tokens):
    return [START + dt.timedelta(weeks=week) for week in range(count) for _ in range(tokens)]


def three_classes(seed, *, weeks=20, tokens=30):
    """Calibrated probabilities of three classes and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([2, 4, 2], weeks * tokens)
    outcome = [rng.choice(NUMBERS, p=row) for row in probabilities]
    return pl.DataFrame(
        {"as_of_week": weeks_of(weeks, tokens), "forward_barrier": pl.Series(outcome, dtype=pl.Int8)}
        | {f"p_{name}": probabilities[:, at] for at, name in enumerate(CLASSES)}
    )


def binary(seed, *, weeks=30, tokens=40, slope=1.0, intercept=0.0):
    """Probabilities p and outcomes whose log odds are intercept + slope logit(p)."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.05, 0.95, weeks * tokens)
    odds = intercept + slope * np.log(probability / (1 - probability))
    outcome = rng.random(len(odds)) < 1 / (1 + np.exp(-odds))
    return pl.DataFrame(
        {"as_of_week": weeks_of(weeks, tokens), "p": probability, "o": pl.Series(outcome).cast(pl.Int8)}
    )


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6))
def test_the_brier_score_of_three_classes_is_that_of_scikit_learn(seed):
    frame = three_classes(seed)

    scores = brier_scores(frame, block=2)

    labels = frame["forward_barrier"].to_numpy()
    matrix = frame.select("p_bearish", "p_neutral", "p_bullish").to_numpy()
    base = np.tile([(labels == number).mean() for number in (-1, 0, 1)], (len(labels), 1))
    expected = brier_score_loss(labels, matrix, labels=[-1, 0, 1], scale_by_half=False)
    expected_base = brier_score_loss(labels, base, labels=[-1, 0, 1], scale_by_half=False)
    assert scores["brier"].estimate == pytest.approx(expected)
    assert scores["brier_base_rates"].estimate == pytest.approx(expected_base)
    assert scores["brier_skill"].estimate == pytest.approx(1 - expected / expected_base)
    assert scores["brier_skill"].low < scores["brier_skill"].estimate < scores["brier_skill"].high


def test_the_brier_score_of_two_classes_is_that_of_scikit_learn():
    frame = binary(1)

    scores = binary_brier_scores(frame, probability="p", outcome="o", block=2)

    rate = frame["o"].mean()
    assert scores["brier"].estimate == pytest.approx(brier_score_loss(frame["o"], frame["p"]))
    assert scores["brier_base_rates"].estimate == pytest.approx(rate * (1 - rate))


def test_base_rates_themselves_have_no_skill():
    frame = three_classes(2)
    rates = {name: (frame["forward_barrier"] == number).mean() for name, number in zip(CLASSES, NUMBERS, strict=True)}

    scores = brier_scores(frame.with_columns(**{f"p_{name}": pl.lit(rate) for name, rate in rates.items()}), block=2)

    assert scores["brier_skill"].estimate == pytest.approx(0, abs=1e-12)
    assert scores["brier_skill"].high <= 1e-12


def test_rows_without_an_outcome_or_probability_do_not_count():
    frame = three_classes(3)
    holes = frame.with_columns(forward_barrier=None, p_neutral=float("nan")).with_columns(
        pl.col("forward_barrier").cast(pl.Int8)
    )

    scores = brier_scores(pl.concat([frame, holes]), block=2)

    assert scores["brier"].estimate == pytest.approx(brier_scores(frame, block=2)["brier"].estimate)
    with pytest.raises(ValueError, match="no row of 600"):
        brier_scores(holes, block=2)


def test_the_calibration_error_is_the_mean_gap_over_bins_of_equal_counts():
    frame = binary(4, slope=0.5)

    error, table = calibration_error(frame, probability="p", outcome="o", block=2, bins=12)

    order = np.argsort(frame["p"].to_numpy())
    gaps = [
        len(part) * abs(frame["p"].to_numpy()[part].mean() - frame["o"].to_numpy()[part].mean())
        for part in np.array_split(order, 12)
    ]
    assert error.estimate == pytest.approx(sum(gaps) / frame.height)
    assert table["rows"].to_list() == [100] * 12
    assert error.low < error.high


def test_an_error_that_is_mostly_chance_lies_within_its_interval():
    for seed in range(5):
        error, _ = calibration_error(binary(seed, weeks=40, tokens=10), probability="p", outcome="o", block=2)

        assert 0 <= error.low < error.estimate < error.high


def test_probabilities_that_are_tied_stay_in_one_bin():
    frame = binary(5).with_columns(p=pl.col("p").round(1))

    _, table = calibration_error(frame, probability="p", outcome="o", block=2, bins=20)

    assert table["mean_probability"].to_list() == pytest.approx(sorted(frame["p"].unique().to_list()))


def test_calibrated_probabilities_have_a_small_error_and_bold_ones_a_large_one():
    errors = [
        calibration_error(binary(6, weeks=100, slope=slope), probability="p", outcome="o", block=2, bins=10)[0]
        for slope in (1.0, 0.3)
    ]

    assert errors[0].estimate < 0.03
    assert errors[1].low > 0.1


def test_the_top_label_is_the_likeliest_class_and_right_where_it_happened():
    frame = pl.DataFrame(
        {
            "as_of_week": [START] * 3,
            "p_bullish": [0.5, 0.2, 0.1],
            "p_neutral": [0.3, 0.7, 0.2],
            "p_bearish": [0.2, 0.1, 0.7],
            "forward_barrier": [1, -1, -1],
        }
    )

    label = top_label(frame)

    assert label["p_top"].to_list() == [0.5, 0.7, 0.7]
    assert label["is_right"].to_list() == [1, 0, 1]


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, 0.5)])
def test_slope_and_intercept_have_the_estimates_and_clustered_errors_of_statsmodels(slope, intercept):
    frame = binary(7, weeks=40, slope=slope, intercept=intercept)

    row = calibration_slopes(frame, probability="p", outcome="o", block=3, level=0.9).row(0, named=True)

    design = sm.add_constant(np.log(frame["p"] / (1 - frame["p"])).to_numpy())
    oracle = sm.Logit(frame["o"].to_numpy(), design).fit(
        disp=0,
        cov_type="hac-groupsum",
        cov_kwds={"time": np.repeat(np.arange(40), 40), "maxlags": 2, "use_correction": False},
    )
    bounds = oracle.conf_int(alpha=0.1)
    assert (row["intercept"], row["slope"]) == pytest.approx(tuple(oracle.params), abs=1e-6)
    assert (row["intercept_low"], row["intercept_high"]) == pytest.approx(tuple(bounds[0]), abs=1e-5)
    assert (row["slope_low"], row["slope_high"]) == pytest.approx(tuple(bounds[1]), abs=1e-5)


def test_each_year_has_its_own_slope_and_too_few_weeks_no_bounds():
    bold, sound = binary(8, weeks=52, slope=0.3), binary(9, weeks=5)
    later = sound.with_columns(pl.col("as_of_week").dt.offset_by("1y"))
    frame = pl.concat([bold, later]).with_columns(year=pl.col("as_of_week").dt.year())

    table = calibration_slopes(frame, probability="p", outcome="o", block=2, by="year")

    assert table["year"].to_list() == [2020, 2021]
    assert table["slope_high"][0] < 0.6
    assert table["slope_low"].is_null().to_list() == [False, True]
    assert table["weeks"].to_list() == [52, 5]


@pytest.mark.parametrize(
    "columns",
    [{"o": pl.lit(1)}, {"p": pl.lit(0.4)}, {"o": (pl.col("p") > 0.5).cast(pl.Int8)}],
    ids=["one outcome", "one probability", "parted perfectly"],
)
def test_a_slope_that_is_not_defined_is_null(columns):
    row = calibration_slopes(binary(10).with_columns(**columns), probability="p", outcome="o", block=2).row(
        0, named=True
    )

    assert row["slope"] is None
    assert row["rows"] == 1200


def test_one_class_is_judged_against_the_others_and_keeps_what_it_is_grouped_by():
    frame = three_classes(11).with_columns(year=pl.lit(2020), p_bullish=pl.col("p_bullish").cast(pl.Float32))

    bearish = one_class(frame, "bearish")
    bullish = one_class(frame, "bullish")

    assert bearish["is_class"].to_list() == (frame["forward_barrier"] == -1).cast(pl.Float64).to_list()
    assert bearish["p_class"].to_list() == frame["p_bearish"].to_list()
    assert calibration_slopes(bullish, probability="p_class", outcome="is_class", block=2, by="year")[
        "year"
    ].to_list() == [2020]
