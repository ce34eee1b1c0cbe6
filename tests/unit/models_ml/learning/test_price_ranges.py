"""Price ranges: where the scale of returns is known, four of five outcomes fall inside."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from models_ml.learning.calendar import RANGE_HORIZONS_DAYS
from models_ml.learning.dataset import LeakError
from models_ml.learning.price_ranges import RANGE_COLUMNS, predict_ranges, train_ranges

REFIT = dt.date(2024, 1, 1)
START = dt.date(2021, 1, 4)
WEEKS, TOKENS = 120, 40


@pytest.fixture(scope="module")
def market():
    """Normal log returns whose volatility of the coming weeks is that of the past 90 days, times 2 where a rank is above one half."""
    rng = np.random.default_rng(4)
    count = WEEKS * TOKENS
    volatility = rng.uniform(0.3, 1.5, count)
    frame = pl.DataFrame(
        {
            "as_of_week": [START + dt.timedelta(days=7 * (row // TOKENS)) for row in range(count)],
            "token_id": [f"t{row % TOKENS:02d}" for row in range(count)],
            **{name: rng.random(count) for name in RANGE_COLUMNS},
            "log_volatility_30d": np.log(volatility),
            "log_volatility_30d_to_90d": np.zeros(count),
        }
    )
    wild = np.where(frame["rank_turnover_30d"].to_numpy() > 0.5, 2.0, 1.0)
    labels = frame.select("as_of_week", "token_id").with_columns(
        pl.Series(
            f"forward_return_{days}d", np.exp(rng.normal(0, 1, count) * wild * volatility * np.sqrt(days / 365)) - 1
        )
        for days in RANGE_HORIZONS_DAYS
    )
    return frame, labels


@pytest.fixture(scope="module")
def split(market):
    frame, labels = market
    is_past = pl.col("as_of_week") < START + dt.timedelta(days=7 * 80)
    return frame.filter(is_past), frame.filter(~is_past), labels


@pytest.fixture(scope="module")
def model(split):
    past, _, labels = split
    return train_ranges(dict.fromkeys(RANGE_HORIZONS_DAYS, past), labels, refit=REFIT)


@pytest.mark.parametrize("days", RANGE_HORIZONS_DAYS)
def test_four_of_five_outcomes_out_of_sample_fall_inside(days, split, model):
    _, future, labels = split

    ranges = predict_ranges(model, future).filter(pl.col("horizon_days") == days)

    outcome = ranges.join(labels, on=["as_of_week", "token_id"], maintain_order="left")[f"forward_return_{days}d"]
    inside = (outcome >= ranges["return_low"]) & (outcome <= ranges["return_high"])
    # 1,600 rows: a standard error of 0.01, beside that of the multiplier, of about as many.
    assert inside.mean() == pytest.approx(0.8, abs=0.04)


def test_a_token_that_will_move_twice_as_far_gets_a_range_twice_as_wide_in_logs(split, model):
    _, future, _ = split

    ranges = predict_ranges(model, future).filter(pl.col("horizon_days") == 14)

    wild = ranges.join(
        future.select("as_of_week", "token_id", "rank_turnover_30d", "log_volatility_30d"),
        on=["as_of_week", "token_id"],
    ).with_columns(width=(1 + pl.col("return_high")).log() / pl.col("log_volatility_30d").exp())
    is_wild = pl.col("rank_turnover_30d") > 0.5
    ratio = wild.filter(is_wild)["width"].median() / wild.filter(~is_wild)["width"].median()
    assert ratio == pytest.approx(2.0, rel=0.15)


def test_ranges_are_symmetric_in_logs_around_no_change_and_grow_with_the_horizon(split, model):
    _, future, _ = split

    ranges = predict_ranges(model, future)

    assert ranges["return_median"].unique().to_list() == [0.0]
    product = (1 + ranges["return_low"]) * (1 + ranges["return_high"])
    assert product.to_numpy() == pytest.approx(np.ones(ranges.height))
    assert ranges["return_low"].is_between(-1, 0, closed="none").all()
    widths = ranges.group_by("horizon_days").agg(pl.col("return_high").median()).sort("horizon_days")
    assert widths["return_high"].is_sorted()
    assert widths["horizon_days"].to_list() == list(RANGE_HORIZONS_DAYS)


def test_a_token_too_young_for_90_days_stands_on_its_30_and_one_without_volatility_gets_no_range(split, model):
    _, future, _ = split
    rows = future.head(2).with_columns(
        log_volatility_30d=pl.Series([0.0, None], dtype=pl.Float64),
        log_volatility_30d_to_90d=pl.lit(None, dtype=pl.Float64),
    )

    ranges = predict_ranges(model, rows)

    assert ranges["token_id"].unique().to_list() == [rows["token_id"][0]]
    assert ranges.height == len(RANGE_HORIZONS_DAYS)


def test_a_second_training_gives_the_same_model(split, model):
    past, _, labels = split

    again = train_ranges(
        dict.fromkeys(RANGE_HORIZONS_DAYS, past.sample(fraction=1, shuffle=True, seed=1)), labels, refit=REFIT
    )

    assert again == model
    assert model.constants.keys() == {f"multiplier_{days}d" for days in RANGE_HORIZONS_DAYS}


def test_a_label_joined_into_the_frame_is_refused(split):
    past, _, labels = split
    leaking = past.join(labels, on=["as_of_week", "token_id"])

    with pytest.raises(LeakError, match="forward_return_7d"):
        train_ranges(dict.fromkeys(RANGE_HORIZONS_DAYS, leaking), labels, refit=REFIT)
