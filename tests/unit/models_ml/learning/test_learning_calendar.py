"""Refit dates, and that what a refit trains on has ended before it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.learning.calendar import (
    EMBARGO_DAYS,
    INVESTOR_HORIZON_DAYS,
    LAG_DAYS,
    TRADER_HORIZON_DAYS,
    first_monday,
    refit_dates,
    refit_in_force,
    training_end,
)

WEEK = dt.timedelta(days=7)
MONDAYS = st.integers(0, 1500).map(lambda week: dt.date(2015, 1, 5) + WEEK * week)
REFITS = st.tuples(st.integers(2014, 2060), st.sampled_from([1, 4, 7, 10])).map(lambda quarter: first_monday(*quarter))


def label_end(week, horizon_days=TRADER_HORIZON_DAYS):
    """Day after whose beginning no close enters the lagged label of a week: bought a day late, held for the horizon."""
    newest_close = week - dt.timedelta(days=1)
    bought = newest_close + dt.timedelta(days=LAG_DAYS)
    sold = bought + dt.timedelta(days=horizon_days)
    return sold + dt.timedelta(days=1)


def test_refits_fall_on_the_first_mondays_of_the_quarters():
    # Read off a calendar.
    expected = [
        *(dt.date(2023, 10, 2), dt.date(2024, 1, 1), dt.date(2024, 4, 1), dt.date(2024, 7, 1)),
        *(dt.date(2024, 10, 7), dt.date(2025, 1, 6)),
    ]

    assert refit_dates(dt.date(2023, 10, 2), dt.date(2025, 1, 6)) == expected
    assert refit_dates(dt.date(2023, 10, 3), dt.date(2025, 1, 5)) == expected[1:-1]


@given(st.integers(2014, 2060), st.integers(1, 12))
def test_a_first_monday_is_a_monday_among_the_first_seven_days(year, month):
    day = first_monday(year, month)

    assert (day.year, day.month, day.weekday()) == (year, month, 0)
    assert day.day <= 7


@given(MONDAYS, MONDAYS, st.integers(0, 400))
def test_more_data_adds_refits_and_moves_none(first, last, later):
    dates = refit_dates(first, last)

    assert dates == sorted(dates)
    assert refit_dates(first, last + WEEK * later)[: len(dates)] == dates


@pytest.mark.parametrize(
    ("week", "refit"),
    [
        (dt.date(2024, 1, 1), dt.date(2024, 1, 1)),
        (dt.date(2024, 3, 25), dt.date(2024, 1, 1)),
        (dt.date(2024, 9, 30), dt.date(2024, 7, 1)),
        (dt.date(2024, 10, 7), dt.date(2024, 10, 7)),
        (dt.date(2024, 12, 30), dt.date(2024, 10, 7)),
        (dt.date(2026, 1, 5), dt.date(2026, 1, 5)),
        (dt.date(2021, 1, 4), dt.date(2021, 1, 4)),
    ],
)
def test_the_model_in_force_is_that_of_the_newest_refit(week, refit):
    assert refit_in_force(week) == refit


@pytest.mark.parametrize(
    ("refit", "last_week"),
    [
        # The week of 11 December: bought at the close of the 11th, sold at that of the 25th, 6 days before the refit. That of the
        # 18th would be sold on 1 January.
        (dt.date(2024, 1, 1), dt.date(2023, 12, 11)),
        (dt.date(2024, 10, 7), dt.date(2024, 9, 16)),
        (dt.date(2020, 1, 6), dt.date(2019, 12, 16)),
    ],
)
def test_the_last_training_week_by_hand(refit, last_week):
    assert training_end(refit, horizon_days=14) == last_week


@given(REFITS, st.sampled_from([7, TRADER_HORIZON_DAYS, 30, INVESTOR_HORIZON_DAYS]))
def test_every_training_label_ends_before_the_refit_less_the_embargo_and_no_week_is_given_away(refit, horizon_days):
    allowed = refit - dt.timedelta(days=EMBARGO_DAYS)

    last = training_end(refit, horizon_days=horizon_days)

    assert last.weekday() == 0
    assert label_end(last, horizon_days) <= allowed
    assert label_end(last + WEEK, horizon_days) > allowed
