"""Drift and novelty: the index as a sum of scipy's divergences, and rows counted one by one."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models_ml.learning.evaluation.stability import drift_table, novelty, population_stability, training_ranges


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), shift=st.floats(-1, 1))
def test_the_index_is_the_sum_of_both_divergences_of_scipy(seed, shift):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0, 1, 600), rng.normal(shift, 1, 400)

    psi = population_stability(pl.Series(first), pl.Series(second), bins=5)

    edges = [-np.inf, *np.quantile(first, [0.2, 0.4, 0.6, 0.8]), np.inf]
    p, q = (np.histogram(sample, edges)[0] / len(sample) for sample in (first, second))
    assert psi == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))


def test_the_index_of_a_worked_table():
    # Shares 10 %, 40 %, 50 % against 20 %, 40 %, 40 %: (0.2 - 0.1) ln 2 + 0 + (0.4 - 0.5) ln 0.8 = 0.0916.
    first = pl.Series([1] * 10 + [2] * 40 + [3] * 50)
    second = pl.Series([1] * 20 + [2] * 40 + [3] * 40)

    assert population_stability(first, second) == pytest.approx(0.1 * np.log(2) - 0.1 * np.log(0.8))


def test_a_sample_has_not_drifted_from_itself_and_a_shift_is_noticed():
    rng = np.random.default_rng(1)
    sample = pl.Series(rng.normal(0, 1, 2000))

    assert population_stability(sample, sample) == 0
    assert population_stability(sample, pl.Series(rng.normal(0, 1, 2000))) < 0.02
    assert population_stability(sample, sample + 1) > 0.25


def test_values_that_become_unknown_are_drift():
    known = pl.Series(np.random.default_rng(2).normal(0, 1, 1000))
    half = pl.Series([value if at % 2 else None for at, value in enumerate(known)])
    not_a_number = pl.Series([value if at % 2 else float("nan") for at, value in enumerate(known)])

    assert population_stability(known, half) > 0.25
    assert population_stability(known, not_a_number) == population_stability(known, half)


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], []), ([None, None], [1.0, 2.0])])
def test_an_index_without_a_sample_is_unknown(first, second):
    assert population_stability(pl.Series(first, dtype=pl.Float64), pl.Series(second, dtype=pl.Float64)) is None


def test_the_table_names_the_most_drifted_first():
    rng = np.random.default_rng(3)
    first = pl.DataFrame({"calm": rng.normal(0, 1, 500), "moved": rng.normal(0, 1, 500), "never": [None] * 500})
    second = first.with_columns(pl.col("moved") + 2)

    table = drift_table(first, second, ["calm", "moved", "never"])

    assert table["feature"].to_list() == ["moved", "calm", "never"]
    assert table["psi"][2] is None


def test_ranges_hold_all_but_the_outer_percent():
    training = pl.DataFrame({"x": np.arange(1001.0), "never": pl.Series([None] * 1001, dtype=pl.Float64)})

    ranges = training_ranges(training, ["x", "never"])

    assert ranges.row(0) == ("x", 5.0, 995.0)
    assert ranges.row(1) == ("never", None, None)


def test_novelty_is_the_share_of_known_features_outside_their_range():
    ranges = pl.DataFrame(
        {"feature": ["a", "b", "c", "d"], "low": [0.0, 0.0, 0.0, None], "high": [1.0, 1.0, 1.0, None]}
    )
    rows = pl.DataFrame(
        {
            "a": [0.0, 2.0, -1.0, None],
            "b": [1.0, 0.5, None, None],
            "c": [0.5, 0.5, float("nan"), None],
            "d": [9.0, 9.0, 9.0, 9.0],
        }
    )

    values = novelty(rows, ranges)

    assert values.to_list() == [0.0, pytest.approx(1 / 3), 1.0, None]


def test_training_rows_are_hardly_novel_and_rows_of_another_kind_are():
    rng = np.random.default_rng(4)
    training = pl.DataFrame({f"x{at}": rng.normal(0, 1, 3000) for at in range(10)})
    ranges = training_ranges(training, training.columns)

    assert novelty(training, ranges).mean() == pytest.approx(0.01, abs=0.002)
    assert novelty(training.with_columns(pl.all() * 4), ranges).mean() > 0.4


def test_rows_that_lack_a_feature_are_refused():
    ranges = pl.DataFrame({"feature": ["a"], "low": [0.0], "high": [1.0]})

    with pytest.raises(ValueError, match="the rows lack"):
        novelty(pl.DataFrame({"b": [0.1]}), ranges)
