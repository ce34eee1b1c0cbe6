"""Contribution plans and the money-weighted return."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.backtest.errors import BacktestDataError, NoRateError
from models_ml.backtest.plans import contribution_plans, money_weighted_return

START = dt.date(2023, 1, 31)


def levels_of(values, *, start=START):
    days = [start + dt.timedelta(days=offset) for offset in range(len(values))]
    return pl.DataFrame({"date": days, "index_id": ["ai"] * len(values), "level": np.asarray(values, dtype=np.float64)})


def test_rate_equals_the_published_example_of_xirr():
    # Microsoft, documentation of XIRR: -10,000; 2,750; 4,250; 3,250; 2,750 give 37.3362535 %.
    dates = [dt.date(2008, 1, 1), dt.date(2008, 3, 1), dt.date(2008, 10, 30), dt.date(2009, 2, 15), dt.date(2009, 4, 1)]

    rate = money_weighted_return(dates, [-10_000, 2_750, 4_250, 3_250, 2_750])

    assert rate == pytest.approx(0.373362535, abs=5e-9)


def test_rate_of_one_payment_is_the_compound_return():
    dates = [dt.date(2023, 1, 1), dt.date(2025, 1, 1)]

    assert money_weighted_return(dates, [-100.0, 144.0]) == pytest.approx(1.44 ** (365 / 731) - 1, rel=1e-12)
    assert money_weighted_return(dates, [-100.0, 1e-6]) == pytest.approx(1e-8 ** (365 / 731) - 1, rel=1e-9)
    assert money_weighted_return(dates[::-1], [144.0, -100.0]) == pytest.approx(1.44 ** (365 / 731) - 1, rel=1e-12)


def test_a_rate_is_found_where_a_day_multiplies_the_money():
    dates = [dt.date(2023, 1, 1), dt.date(2023, 1, 2)]

    assert money_weighted_return(dates, [-100.0, 105.0]) == pytest.approx(1.05**365 - 1, rel=1e-9)


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        ([-100.0, -10.0, -1.0], "never change sign"),
        ([100.0, 10.0, 0.0], "never change sign"),
        ([-100.0, 300.0, -100.0], "change sign 2 times"),
    ],
)
def test_flows_without_a_single_rate_are_refused(flows, message):
    dates = [dt.date(2023, month, 1) for month in (1, 6, 12)]

    with pytest.raises(NoRateError, match=message):
        money_weighted_return(dates, flows)


def test_flows_of_one_day_and_a_rate_beyond_numbers_are_refused():
    day = dt.date(2023, 1, 1)

    with pytest.raises(NoRateError, match="on 1 days"):
        money_weighted_return([day, day], [-100.0, 110.0])
    with pytest.raises(NoRateError, match=r"beyond e\^700"):
        money_weighted_return([day, day + dt.timedelta(days=1)], [-1.0, 1e9])
    with pytest.raises(ValueError, match="must be finite"):
        money_weighted_return([day, day + dt.timedelta(days=1)], [-1.0, float("nan")])


@settings(max_examples=50, deadline=None)
@given(
    amounts=st.lists(st.floats(1, 1e4), min_size=1, max_size=20),
    multiple=st.floats(0.2, 50),
    gap=st.integers(60, 120),
)
def test_at_the_rate_found_the_flows_are_worth_nothing(amounts, multiple, gap):
    dates = [START + dt.timedelta(days=gap * number) for number in range(len(amounts) + 1)]
    flows = [*(-amount for amount in amounts), multiple * sum(amounts)]

    rate = money_weighted_return(dates, flows)

    years = np.array([gap * number / 365 for number in range(len(flows))])
    terms = np.array(flows) * (1 + rate) ** (years[-1] - years)
    assert rate > -1
    assert terms.sum() == pytest.approx(0, abs=1e-8 * np.abs(terms).max())


def test_plans_buy_equal_amounts_on_their_days():
    # 60 days from 31 January: weekly on days 0, 7, ..., 56; monthly on 31 January, 28 February and 31 March (day 59).
    values = [100.0 + day for day in range(61)]

    plans = {row["plan"]: row for row in contribution_plans(levels_of(values), total_usd=900.0).to_dicts()}

    assert {plan: row["contributions"] for plan, row in plans.items()} == {"lump_sum": 1, "weekly": 9, "monthly": 3}
    assert plans["lump_sum"]["final_value_usd"] == pytest.approx(900 / 100 * 160)
    assert plans["weekly"]["final_value_usd"] == pytest.approx(sum(100 / (100 + 7 * week) for week in range(9)) * 160)
    assert plans["monthly"]["final_value_usd"] == pytest.approx((300 / 100 + 300 / 128 + 300 / 159) * 160)
    assert all(row["paid_in_usd"] == 900 for row in plans.values())
    assert plans["lump_sum"]["money_weighted_return"] == pytest.approx(1.6 ** (365 / 60) - 1, rel=1e-9)


def test_at_a_steady_growth_every_plan_has_the_same_rate():
    plans = contribution_plans(levels_of([1.001**day for day in range(400)]))

    assert plans["money_weighted_return"].to_list() == pytest.approx([1.001**365 - 1] * 3, rel=1e-9)


def test_a_single_level_has_no_plan_and_nothing_to_pay_in_is_refused():
    assert contribution_plans(levels_of([1.0])).is_empty()
    with pytest.raises(BacktestDataError, match="pay in more than 0"):
        contribution_plans(levels_of([1.0, 2.0]), total_usd=0)
