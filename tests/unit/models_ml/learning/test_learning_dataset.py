"""The model frame: ranks within a week, nulls kept, and nothing that looks ahead."""

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.learning.dataset import (
    MARKET_COLUMNS,
    MODEL_COLUMNS,
    RATIO_COLUMNS,
    READ_FEATURES,
    LeakError,
    model_frame,
)

WEEKS = [dt.date(2024, 1, 1), dt.date(2024, 1, 8)]


def weekly_of(values, *, week=WEEKS[0]):
    """A week whose every feature has the same values, one a token."""
    count = len(values)
    return pl.DataFrame(
        {"as_of_week": [week] * count, "token_id": [f"t{token:02d}" for token in range(count)]}
    ).with_columns(
        *(pl.Series(name, values, dtype=pl.Float32) for name in READ_FEATURES),
        *(pl.lit(0.5, dtype=pl.Float64).alias(name) for name in MARKET_COLUMNS),
    )


def ranks_of(frame):
    return frame["rank_return_30d"].to_list()


def test_ranks_are_the_middle_of_each_place_with_ties_shared():
    frame = model_frame(weekly_of([5.0, 1.0, 5.0, 9.0]))

    assert ranks_of(frame) == [0.5, 0.125, 0.5, 0.875]


def test_an_unknown_value_stays_null_and_takes_no_place():
    frame = model_frame(weekly_of([5.0, None, 1.0, None]))

    assert ranks_of(frame) == [0.75, None, 0.25, None]


def test_a_feature_nobody_has_is_null_for_all():
    frame = model_frame(weekly_of([None, None, None]))

    assert ranks_of(frame) == [None, None, None]


def test_weeks_are_ranked_apart():
    low, high = weekly_of([1.0, 2.0]), weekly_of([100.0, 200.0], week=WEEKS[1])

    together = model_frame(pl.concat([high, low]))

    assert together.equals(pl.concat([model_frame(low), model_frame(high)]))


def test_the_frame_has_the_keys_and_the_model_columns_as_float32():
    frame = model_frame(weekly_of([1.0, 2.0]).with_columns(symbol=pl.lit("X"), coverage=pl.lit(1.0)))

    assert frame.columns == ["as_of_week", "token_id", *MODEL_COLUMNS, *RATIO_COLUMNS]
    assert set(frame.select(*MODEL_COLUMNS, *RATIO_COLUMNS).dtypes) == {pl.Float32}
    assert len(MODEL_COLUMNS) == len(MODEL_INPUT_NAMES) + len(MARKET_COLUMNS)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_ranks_keep_the_order_and_do_not_depend_on_that_of_the_rows(values, random):
    weekly = weekly_of(values)
    order = list(range(len(values)))
    random.shuffle(order)

    frame = model_frame(weekly)

    assert model_frame(weekly[order]).equals(frame)
    pairs = [(value, rank) for value, rank in zip(values, ranks_of(frame), strict=True) if value is not None]
    assert [rank is None for rank in ranks_of(frame)] == [value is None for value in values]
    assert all(0 < rank < 1 for _, rank in pairs)
    ordered = sorted(pairs)
    assert all(one[1] <= other[1] for one, other in itertools.pairwise(ordered))
    if pairs:
        assert np.mean([rank for _, rank in pairs]) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("name", ["forward_return_14d", "rank_forward_return_14d", "forward_barrier"])
def test_a_label_joined_into_the_frame_is_refused(name):
    weekly = weekly_of([1.0, 2.0]).with_columns(pl.lit(0.1).alias(name))

    with pytest.raises(LeakError, match=f"'{name}'.* look ahead"):
        model_frame(weekly)


def test_ratios_are_logarithms_of_quotients_and_null_where_there_is_none():
    weekly = weekly_of([2.0, 2.0, 2.0, 2.0]).with_columns(
        volatility_7d=pl.Series([4.0, 0.0, None, 1.0], dtype=pl.Float32),
        volatility_30d=pl.Series([2.0, 2.0, 2.0, 0.0], dtype=pl.Float32),
    )

    ratios = model_frame(weekly)["log_volatility_7d_to_30d"].to_list()

    assert ratios == [pytest.approx(np.log(2)), None, None, None]


def test_daily_frames_are_ranked_by_day_and_keep_their_week():
    days = [dt.date(2024, 1, 6), dt.date(2024, 1, 7)]
    daily = pl.concat(
        [
            weekly_of(values).with_columns(market_date=pl.lit(day))
            for day, values in zip(days, ([1.0, 2.0], [4.0, 3.0]), strict=True)
        ]
    )

    frame = model_frame(daily, by="market_date")

    assert frame.columns[:3] == ["as_of_week", "market_date", "token_id"]
    assert frame["market_date"].to_list() == [days[0]] * 2 + [days[1]] * 2
    assert ranks_of(frame) == [0.25, 0.75, 0.75, 0.25]
