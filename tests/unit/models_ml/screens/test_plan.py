"""The plan of a pick: ranges, classes, sizes, entry, stop, targets."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models_ml.screens.plan import (
    ATR_DAYS,
    CLOSE_TO_CLOSE,
    RISK_CLASSES,
    TRUE_RANGE,
    PlanSettings,
    Target,
    average_true_range,
    plan_picks,
)

WEEK = dt.date(2024, 3, 4)
SETTINGS = PlanSettings()
FIRST = dt.date(2024, 1, 1)


def pick(name="star", **fields):
    row = {
        "as_of_week": WEEK,
        "token_id": name,
        "price_usd": 2.0,
        "market_cap_usd": 20e6,
        "volume_30d_median_usd": 10e6,
        "volatility_30d": 365**0.5 * 0.1,
        "age_days": 400,
        "atr_14d": 0.1,
        "average_move_14d": 0.08,
    }
    return row | fields


SCHEMA = {
    "as_of_week": pl.Date,
    "token_id": pl.String,
    **dict.fromkeys(("price_usd", "market_cap_usd", "volume_30d_median_usd", "volatility_30d"), pl.Float64),
    "age_days": pl.Int64,
    "atr_14d": pl.Float64,
    "average_move_14d": pl.Float64,
}


def plan(*rows, rules=SETTINGS):
    return plan_picks(pl.DataFrame(list(rows), schema=SCHEMA), rules)


def only(rules=SETTINGS, **fields):
    return plan(pick(**fields), rules=rules).row(0, named=True)


def days(bars, name="star", first=FIRST):
    """Bars as (high, low, close) a day; None for high and low where they are unknown."""
    return pl.DataFrame(
        [
            {
                "token_id": name,
                "market_date": first + dt.timedelta(days=number),
                "price_usd": float(close),
                "high_to_close": None if high is None else high / close,
                "low_to_close": None if low is None else low / close,
            }
            for number, (high, low, close) in enumerate(bars)
        ],
        schema={
            "token_id": pl.String,
            "market_date": pl.Date,
            **dict.fromkeys(("price_usd", "high_to_close", "low_to_close"), pl.Float64),
        },
    )


def wilder(bars):
    """The average true range as the book has it, day by day."""
    found, average, ranges = [], None, []
    before = None
    for high, low, close in bars:
        true_range = high - low if before is None else max(high - low, abs(high - before), abs(low - before))
        ranges.append(true_range)
        if len(ranges) == ATR_DAYS:
            average = sum(ranges) / ATR_DAYS
        elif average is not None:
            average = average + (true_range - average) / ATR_DAYS
        found.append(None if average is None else average / close)
        before = close
    return found


BARS = st.lists(
    st.tuples(st.floats(1.0, 2.0), st.floats(0.5, 1.0), st.floats(0.2, 50.0)).map(
        lambda bar: (bar[0] * bar[2], bar[1] * bar[2], bar[2])
    ),
    min_size=1,
    max_size=45,
)


@settings(max_examples=60, deadline=None)
@given(BARS)
def test_the_average_range_is_wilders(bars):
    found = average_true_range(days(bars))["atr_14d"].to_list()

    expected = wilder(bars)
    assert [value is None for value in found] == [value is None for value in expected]
    assert [v for v in found if v is not None] == pytest.approx([v for v in expected if v is not None], rel=1e-9)


def test_a_gap_above_the_close_before_counts_as_range():
    bars = [(10.0, 10.0, 10.0)] * 14 + [(20.0, 20.0, 20.0)]

    found = average_true_range(days(bars))["atr_14d"].to_list()

    assert found[13] == 0.0
    assert found[14] == pytest.approx((10.0 / 14) / 20.0)


def test_a_day_without_high_and_low_or_without_a_row_begins_the_average_anew():
    bars = [(11.0, 9.0, 10.0)] * 20
    unknown = [*bars[:16], (None, None, 10.0), *bars[17:]]
    left_out = days(bars).filter(pl.col("market_date") != FIRST + dt.timedelta(days=16))

    assert average_true_range(days(unknown))["atr_14d"].to_list()[13:] == [pytest.approx(0.2)] * 3 + [None] * 4
    assert average_true_range(left_out)["atr_14d"].to_list()[13:] == [pytest.approx(0.2)] * 3 + [None] * 3


def test_tokens_have_averages_of_their_own():
    both = pl.concat([days([(11.0, 9.0, 10.0)] * 14, "a"), days([(12.0, 8.0, 10.0)] * 14, "b")])

    found = average_true_range(both).filter(pl.col("atr_14d").is_not_null())

    assert found.select("token_id", "atr_14d").rows() == [("a", pytest.approx(0.2)), ("b", pytest.approx(0.4))]


def test_entry_stop_and_targets_follow_range_and_close():
    row = only()

    assert (row["entry_low_usd"], row["entry_high_usd"]) == (pytest.approx(1.9), pytest.approx(2.1))
    assert row["stop_usd"] == pytest.approx(2.0 * 0.7)
    assert row["stop_basis"] == TRUE_RANGE
    assert [row[f"target_{number}_usd"] for number in (1, 2, 3)] == [3.0, 4.0, 6.0]
    assert [row[f"target_{number}_share"] for number in (1, 2, 3)] == [0.3, 0.3, 0.2]
    assert row["expiry_date"] == dt.date(2024, 6, 2)


def test_without_highs_and_lows_the_stop_rests_on_closes_and_says_so():
    row = only(atr_14d=None)

    assert row["stop_usd"] == pytest.approx(2.0 * (1 - 3 * 0.08))
    assert row["stop_basis"] == CLOSE_TO_CLOSE


def test_without_any_range_there_is_no_stop_and_no_zone():
    row = only(atr_14d=None, average_move_14d=None)

    assert [row[name] for name in ("entry_low_usd", "entry_high_usd", "stop_usd", "stop_basis")] == [None] * 4
    assert row["target_1_usd"] == 3.0


@pytest.mark.parametrize(("atr", "stop"), [(0.01, 0.85), (0.9, 0.5)])
def test_a_stop_is_neither_noise_nor_everything(atr, stop):
    assert only(atr_14d=atr)["stop_usd"] == pytest.approx(2.0 * stop)


@pytest.mark.parametrize(
    ("fields", "weight", "limit"),
    [
        ({}, 0.005, "volatility"),  # 0.0005 of capital over a daily volatility of 0.1
        ({"volatility_30d": 365**0.5 * 0.02}, 0.01, "maximum"),
        ({"volume_30d_median_usd": 200e3}, 0.002, "liquidity"),  # 1 % of 200,000 of a million
        ({"volatility_30d": None}, None, None),
        ({"volume_30d_median_usd": None}, None, None),
        ({"volatility_30d": 0.0}, None, None),
    ],
)
def test_the_size_is_bounded_by_volatility_liquidity_and_a_maximum(fields, weight, limit):
    row = only(**fields)

    assert row["position_weight"] == (None if weight is None else pytest.approx(weight))
    assert row["position_limit"] == limit


def test_sizes_of_a_week_are_scaled_down_together():
    rules = PlanSettings(largest_total=0.01)

    rows = plan(
        pick("a"), pick("b"), pick("c", volatility_30d=None), pick("d", as_of_week=dt.date(2024, 2, 26)), rules=rules
    )
    four = plan(*(pick(name) for name in "abcd"), rules=rules)

    assert rows["position_weight"].to_list() == [pytest.approx(0.005)] * 2 + [None, pytest.approx(0.005)]
    assert four["position_weight"].to_list() == [pytest.approx(0.0025)] * 4
    assert set(four["position_limit"]) == {"total"}


@pytest.mark.parametrize(
    ("fields", "risk_class", "marks"),
    [
        ({}, "high", "volatility of 150% a year or more"),
        ({"volatility_30d": 1.0}, "medium", ""),
        ({"volatility_30d": 1.0, "market_cap_usd": 4e6}, "high", "cap below 5,000,000 USD"),
        (
            {"volatility_30d": 1.0, "volume_30d_median_usd": 249e3, "age_days": 179},
            "extreme",
            "median volume below 250,000 USD a day; younger than 180 days",
        ),
        ({"volatility_30d": None}, "high", "volatility of 150% a year or more"),
    ],
)
def test_the_class_counts_what_makes_a_token_risky(fields, risk_class, marks):
    row = only(**fields)

    assert (row["risk_class"], row["risk_marks"]) == (risk_class, marks)


def test_rules_that_contradict_themselves_are_refused():
    with pytest.raises(ValidationError, match="must rise in this order"):
        PlanSettings(least_stop=0.05)
    with pytest.raises(ValidationError, match="must rise"):
        PlanSettings(
            targets=(Target(multiple=2, share=0.1), Target(multiple=2, share=0.1), Target(multiple=3, share=0.1))
        )
    with pytest.raises(ValidationError, match=r"sell 1\.2 of the position"):
        PlanSettings(
            targets=(Target(multiple=2, share=0.4), Target(multiple=3, share=0.4), Target(multiple=4, share=0.4))
        )


MAYBE = st.one_of(st.none(), st.floats(1e-4, 5.0))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "price_usd": st.floats(1e-9, 1e5),
                "atr_14d": MAYBE,
                "average_move_14d": MAYBE,
                "volatility_30d": MAYBE,
                "volume_30d_median_usd": st.one_of(st.none(), st.floats(0, 1e9)),
                "market_cap_usd": st.one_of(st.none(), st.floats(1e6, 5e7)),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_plan_is_in_order(fields):
    rows = plan(*(pick(f"t{number}", **row) for number, row in enumerate(fields)))

    assert (rows["position_weight"].sum() or 0.0) <= SETTINGS.largest_total + 1e-12
    assert rows["position_weight"].drop_nulls().is_between(0, SETTINGS.largest_weight).all()
    assert rows["risk_class"].is_in(RISK_CLASSES).all()
    order = ["stop_usd", "entry_low_usd", "price_usd", "entry_high_usd", "target_1_usd", "target_2_usd", "target_3_usd"]
    for row in rows.drop_nulls("stop_usd").select(order).rows():
        assert list(row) == sorted(row)
        assert row[0] < row[1]
        assert row[0] > 0
