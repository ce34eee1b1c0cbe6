from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from models_ml.screens.base_rates import (
    ALL,
    CAP_BUCKETS,
    OUTCOMES,
    VOLATILITY_BUCKETS,
    base_rates,
    cap_bucket,
    cap_bucket_of,
    ended_week,
    odds_of,
    volatility_bucket,
    volatility_bucket_of,
)
from models_ml.screens.outcome_windows import WINDOW_SCHEMA

MONDAY = date(2024, 1, 1)
WEEK = timedelta(days=7)


def window(token, *, weeks=0, horizon=30, cap=2e6, volatility=1.0, high=1.0, low=1.0, **others):
    return {
        "token_id": token,
        "entry_week": MONDAY + weeks * WEEK,
        "horizon_days": horizon,
        "market_cap_usd": cap,
        "volatility_30d": volatility,
        "highest_held": high,
        "lowest_held": low,
        "highest_touched": high,
        "lowest_touched": low,
        "is_stopped": False,
    } | others


def windows(*rows):
    return pl.DataFrame(list(rows), schema=WINDOW_SCHEMA)


A_DOZEN = windows(
    window("rises twofold", high=2.0),
    window("rises just short", high=1.999),
    window("rises fivefold", high=5.5),
    window("rises elevenfold", high=11.0),
    window("spikes threefold", high=1.2, highest_touched=3.1),
    window("halves", low=0.5),
    window("halves for a day", low=0.6, lowest_touched=0.4),
    window("doubles, then halves", high=2.1, low=0.3),
    window("stops", is_stopped=True),
    window("doubles, then stops", high=2.2, is_stopped=True),
    window("is thinly reported", high=None, low=None),
    window("is larger", cap=7e6, high=3.0),
)


def rate(rates, outcome, *, cap=ALL, volatility=ALL, week=None, horizon=30):
    found = rates.filter(
        (pl.col("outcome") == outcome)
        & (pl.col("cap_bucket") == cap)
        & (pl.col("volatility_bucket") == volatility)
        & (pl.col("horizon_days") == horizon)
        & (pl.lit(value=True) if week is None else pl.col("as_of_week") == week)
    )
    return found.row(0, named=True) if found.height else None


def test_shares_of_a_dozen_tokens_counted_by_hand():
    rates = base_rates(A_DOZEN, weeks=[MONDAY + 5 * WEEK])

    # Of twelve: 2x by the twofold, fivefold, elevenfold, both that double first, and the larger one.
    hits = {outcome: rate(rates, outcome)["hits"] for outcome in OUTCOMES}
    touched = {outcome: round(12 * rate(rates, outcome)["touched_share"]) for outcome in OUTCOMES}
    assert hits == {"2x": 6, "3x": 3, "5x": 2, "10x": 1, "half": 4}
    assert touched == {"2x": 7, "3x": 4, "5x": 2, "10x": 1, "half": 5}
    assert {rate(rates, outcome)["observations"] for outcome in OUTCOMES} == {12}
    assert rate(rates, "2x")["share"] == 0.5
    assert rate(rates, "2x")["stopped_share"] == pytest.approx(2 / 12)
    assert rate(rates, "2x")["tokens"] == 12


def test_a_cell_has_the_tokens_of_its_buckets_only():
    rates = base_rates(A_DOZEN, weeks=[MONDAY + 5 * WEEK])

    assert rate(rates, "3x", cap="5m_to_20m", volatility="90_to_120")["share"] == 1.0
    assert rate(rates, "2x", cap="1m_to_5m", volatility="90_to_120")["hits"] == 5
    assert rate(rates, "2x", cap="over_1b") is None


def test_a_window_counts_from_the_first_monday_after_its_last_close():
    assert ended_week(MONDAY, horizon_days=30) == MONDAY + 5 * WEEK  # last close on a Wednesday
    assert ended_week(MONDAY, horizon_days=90) == MONDAY + 13 * WEEK  # last close on a Sunday
    assert ended_week(MONDAY, horizon_days=365) == MONDAY + 53 * WEEK

    rates = base_rates(A_DOZEN, weeks=[MONDAY + 4 * WEEK, MONDAY + 5 * WEEK])

    assert rates["as_of_week"].unique().to_list() == [MONDAY + 5 * WEEK]


def test_buckets_by_value_and_by_expression_are_the_same():
    caps = [None, float("nan"), 0.0, 999_999.0, 1e6, 5e6, 19e6, 20e6, 50e6, 249e6, 250e6, 1e9, 2e12]
    volatilities = [None, float("nan"), 0.0, 0.599, 0.6, 0.9, 1.2, 1.799, 1.8, 50.0]

    named = pl.DataFrame({"market_cap_usd": caps}).select(cap_bucket_of())["cap_bucket"].to_list()
    others = (
        pl.DataFrame({"volatility_30d": volatilities}).select(volatility_bucket_of())["volatility_bucket"].to_list()
    )

    assert named == [cap_bucket(cap) for cap in caps]
    assert named[:6] == [None, None, None, None, "1m_to_5m", "5m_to_20m"]
    assert set(named[4:]) == set(CAP_BUCKETS)
    assert others == [volatility_bucket(each) for each in volatilities]
    assert others[:5] == [None, None, "under_60", "under_60", "60_to_90"]
    assert set(others[2:]) == set(VOLATILITY_BUCKETS)


def test_odds_of_a_token_are_those_of_its_buckets():
    rates = base_rates(A_DOZEN, weeks=[MONDAY + 5 * WEEK])

    odds = odds_of(rates, market_cap_usd=7e6, volatility_30d=1.1, horizon_days=30)

    assert odds == {"2x": 1.0, "3x": 1.0, "5x": 0.0, "10x": 0.0, "half": 0.0}
    assert odds_of(rates, market_cap_usd=None, volatility_30d=1.1, horizon_days=30) == dict.fromkeys(OUTCOMES)
    assert odds_of(rates, market_cap_usd=7e6, volatility_30d=1.1, horizon_days=90) == dict.fromkeys(OUTCOMES)


def test_odds_are_of_one_week():
    rates = base_rates(A_DOZEN, weeks=[MONDAY + 5 * WEEK, MONDAY + 6 * WEEK])

    with pytest.raises(ValueError, match="rates of 2 weeks"):
        odds_of(rates, market_cap_usd=7e6, volatility_30d=1.1, horizon_days=30)


def test_the_interval_takes_the_windows_of_a_quarter_together():
    # Two quarters, far apart, of a hundred windows each: 10 hits and 30 hits. By hand: share 0.2, residuals -10 and +10, variance
    # 2 x 200 / 200^2 = 0.01, so 0.16 / 0.01 = 16 effective windows, times (1.96 / t of one degree of freedom)^2.
    rows = [
        window(f"{quarter}/{number}", weeks=quarter, high=3.0 if number < hits else 1.0)
        for quarter, hits in ((0, 10), (52, 30))
        for number in range(100)
    ]
    z = norm.ppf(0.975)
    scaled = 16 * (z / t.ppf(0.975, 1)) ** 2

    row = rate(base_rates(windows(*rows), weeks=[MONDAY + 60 * WEEK]), "2x")

    middle = (0.2 + z**2 / (2 * scaled)) / (1 + z**2 / scaled)
    reach = z / (1 + z**2 / scaled) * (0.16 / scaled + z**2 / (4 * scaled**2)) ** 0.5
    assert row["blocks"] == 2
    assert row["effective_observations"] == pytest.approx(scaled)
    assert (row["share_low"], row["share_high"]) == pytest.approx((middle - reach, middle + reach))


def test_neighbouring_quarters_that_move_together_widen_the_interval():
    def interval(*quarters):
        rows = [
            window(f"{quarter}/{number}", weeks=quarter, high=3.0 if number < hits else 1.0)
            for quarter, hits in zip(quarters, (10, 10, 30, 30), strict=True)
            for number in range(100)
        ]
        return rate(base_rates(windows(*rows), weeks=[MONDAY + 200 * WEEK]), "2x")["effective_observations"]

    # The same residuals -10, -10, 10, 10: apart the sum is 400; side by side the products add 100 - 100 + 100.
    assert interval(0, 27, 54, 80) / interval(0, 13, 26, 40) == pytest.approx(500 / 400)


def test_one_quarter_has_no_interval():
    row = rate(base_rates(A_DOZEN, weeks=[MONDAY + 5 * WEEK]), "2x")

    assert (row["share_low"], row["share_high"], row["effective_observations"]) == (None, None, None)


def test_a_token_counts_once_where_nothing_was_ever_hit():
    rows = [window(f"t{number}", weeks=week) for number in range(20) for week in range(40)]

    row = rate(base_rates(windows(*rows), weeks=[MONDAY + 60 * WEEK]), "10x")

    z = norm.ppf(0.975)
    effective = 20 * (z / t.ppf(0.975, 2)) ** 2
    assert (row["observations"], row["tokens"], row["blocks"], row["share_low"]) == (800, 20, 3, 0.0)
    assert row["effective_observations"] == pytest.approx(effective)
    assert row["share_high"] == pytest.approx(z**2 / effective / (1 + z**2 / effective))


def test_windows_that_are_there_twice_or_begin_on_another_day_are_refused():
    with pytest.raises(ValueError, match="2 windows are there more than once, the first of a"):
        base_rates(windows(window("a"), window("a")), weeks=[MONDAY])
    with pytest.raises(ValueError, match="2024-01-02 is no Monday"):
        base_rates(windows(window("a", entry_week=date(2024, 1, 2))), weeks=[MONDAY])


WINDOWS = st.lists(
    st.builds(
        window,
        st.sampled_from("abcdef"),
        weeks=st.integers(0, 60),
        horizon=st.sampled_from([30, 90, 365]),
        cap=st.sampled_from([2e6, 7e6, 2e9]),
        volatility=st.sampled_from([0.5, 2.0]),
        high=st.sampled_from([1.0, 2.0, 6.0]),
        low=st.sampled_from([0.4, 1.0]),
        is_stopped=st.booleans(),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda row: (row["token_id"], row["entry_week"], row["horizon_days"]),
)
ALL_WEEKS = [MONDAY + number * WEEK for number in range(120)]


@settings(max_examples=25, deadline=None)
@given(WINDOWS, st.integers(10, 100))
def test_later_windows_change_no_earlier_week(rows, cut):
    week = MONDAY + cut * WEEK
    known = [row for row in rows if ended_week(row["entry_week"], horizon_days=row["horizon_days"]) <= week]

    everything = base_rates(windows(*rows), weeks=ALL_WEEKS).filter(pl.col("as_of_week") <= week)

    assert everything.equals(base_rates(windows(*known), weeks=[each for each in ALL_WEEKS if each <= week]))


@settings(max_examples=25, deadline=None)
@given(WINDOWS)
def test_shares_lie_in_their_interval_and_cells_add_up(rows):
    rates = base_rates(windows(*rows), weeks=ALL_WEEKS[-1:])

    bounded = rates.drop_nulls("share_low")
    assert (bounded["share_low"] <= bounded["share"]).all()
    assert (bounded["share"] <= bounded["share_high"]).all()
    assert rates["share"].is_between(0, 1).all()
    assert (rates["tokens"] <= rates["observations"]).all()
    parts = rates.filter((pl.col("cap_bucket") != ALL) & (pl.col("volatility_bucket") != ALL))
    whole = rates.filter((pl.col("cap_bucket") == ALL) & (pl.col("volatility_bucket") == ALL))
    assert parts["observations"].sum() == whole["observations"].sum() == len(rows) * len(OUTCOMES)
    assert parts["hits"].sum() == whole["hits"].sum()
