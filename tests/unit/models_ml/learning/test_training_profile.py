"""What a model's columns looked like in training: drift and novelty against it equal the direct computation."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.learning.dataset import MARKET_COLUMNS
from models_ml.learning.evaluation.stability import population_stability
from models_ml.learning.training_profile import (
    DRIFT_WEEKS,
    data_hash,
    drift_by_week,
    novelty_against,
    training_profile,
    values_behind,
)

START = dt.date(2022, 1, 3)
COLUMNS = ("rank_return_7d", "log_volatility_30d", "rank_age_days", "btc_return_7d")
FEATURES = ("return_7d", "volatility_30d", "age_days", "btc_return_7d")


def market(seed, *, weeks, tokens=40, shift=0.0, start=START):
    """Rows with unknown returns here and there, ages with ties, and a market column of one value a week."""
    rng = np.random.default_rng(seed)
    count = weeks * tokens
    returns = rng.normal(shift, 1, count)
    return pl.DataFrame(
        {
            "as_of_week": [start + dt.timedelta(weeks=row // tokens) for row in range(count)],
            "token_id": [f"t{row % tokens:02d}" for row in range(count)],
            "return_7d": pl.Series(np.where(rng.random(count) < 0.1, np.nan, returns)).fill_nan(None),
            "volatility_30d": np.exp(rng.normal(0, 1, count)),
            "age_days": rng.integers(0, 4, count).astype(float),
            "btc_return_7d": np.repeat(rng.normal(0, 1, weeks), tokens),
        }
    )


def test_a_rank_stands_for_the_feature_it_ranks_and_a_ratio_for_itself():
    rows = market(1, weeks=1)

    values = values_behind(rows, COLUMNS)

    assert tuple(values.columns) == COLUMNS
    assert values["rank_return_7d"].equals(rows["return_7d"].rename("rank_return_7d"))
    assert values["log_volatility_30d"].to_list() == pytest.approx(np.log(rows["volatility_30d"]).to_list())


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), shift=st.floats(-2, 2))
def test_drift_is_the_index_of_training_and_the_quarter_up_to_the_week(seed, shift):
    training = market(seed, weeks=30)
    present = market(seed + 1, weeks=20, shift=shift, start=START + dt.timedelta(weeks=30))
    weeks = present["as_of_week"].unique().sort().to_list()
    judged = [weeks[2], weeks[-1]]

    drift = drift_by_week(training_profile(training, COLUMNS), present, judged)

    kept = [column for column in COLUMNS if column not in MARKET_COLUMNS]
    assert drift.select("as_of_week", "feature").rows() == [(week, column) for week in judged for column in kept]
    for week, column, psi in drift.iter_rows():
        quarter = present.filter(
            (pl.col("as_of_week") <= week) & (pl.col("as_of_week") > week - dt.timedelta(weeks=DRIFT_WEEKS))
        )
        direct = population_stability(
            values_behind(training, [column])[column], values_behind(quarter, [column])[column]
        )
        assert psi == pytest.approx(direct, abs=1e-12)


def test_later_weeks_change_no_drift_of_a_week():
    profile = training_profile(market(1, weeks=30), COLUMNS)
    present = market(2, weeks=20)
    week = present["as_of_week"].unique().sort()[9]

    full = drift_by_week(profile, present, [week])
    truncated = drift_by_week(profile, present.filter(pl.col("as_of_week") <= week), [week])

    assert full.equals(truncated)


def test_a_column_never_known_in_training_has_no_drift():
    never = market(1, weeks=30).with_columns(pl.lit(None, dtype=pl.Float64).alias("return_7d"))

    drift = drift_by_week(training_profile(never, COLUMNS), market(2, weeks=2), [START])

    assert drift["feature"].to_list() == ["log_volatility_30d", "rank_age_days"]


def test_a_week_without_rows_has_no_drift():
    profile = training_profile(market(1, weeks=30), COLUMNS)

    assert drift_by_week(profile, market(2, weeks=2), [START + dt.timedelta(weeks=60)]).is_empty()


def test_novelty_counts_the_known_columns_outside_the_middle_of_training():
    training = market(1, weeks=100)
    row = {"return_7d": [50.0, 0.0, None], "volatility_30d": [1.0, 1e9, 1e9], "age_days": [1.0] * 3}
    rows = pl.DataFrame(row | {"btc_return_7d": [-50.0, 0.0, 0.0]})

    novelty = novelty_against(training_profile(training, COLUMNS), rows)

    assert novelty.to_list() == [2 / 4, 1 / 4, 1 / 3]


def test_the_hash_depends_on_values_and_not_on_order_or_kind_of_missing():
    rows = market(1, weeks=5)
    columns = ["return_7d", "age_days"]

    expected = data_hash(rows, columns)

    same = [
        rows.sample(fraction=1, shuffle=True, seed=3),
        rows.with_columns(pl.col("return_7d").fill_null(float("nan"))),
        pl.concat([rows.head(7), rows.tail(-7)], rechunk=False),
        rows.with_columns(pl.lit(1).alias("not_hashed")),
    ]
    assert [data_hash(frame, columns) for frame in same] == [expected] * len(same)


@pytest.mark.parametrize(
    "change",
    [
        {"age_days": pl.when(pl.int_range(pl.len()) == 3).then(9.0).otherwise("age_days")},
        {"token_id": pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("other")).otherwise("token_id")},
        {"as_of_week": pl.col("as_of_week") + pl.duration(weeks=1)},
    ],
)
def test_the_hash_changes_with_one_value_a_token_or_the_weeks(change):
    rows = market(1, weeks=5)

    assert data_hash(rows.with_columns(**change), ["age_days"]) != data_hash(rows, ["age_days"])


def test_the_hash_of_a_day_known_by_hand():
    # sha256 of "as_of_week\0" "1\0" + 1 as little-endian int32, "token_id\0" "1\0" "a", "x\0" "1\0" + 0.5 as little-endian double.
    frame = pl.DataFrame({"x": [0.5], "token_id": ["a"], "as_of_week": [dt.date(1970, 1, 2)]})

    assert data_hash(frame, ["x"]) == "1f614e12a5e92e6da1d23f1b95acce92055b7845a9ffddb5a137b765ee7ef407"
