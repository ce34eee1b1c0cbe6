"""When rule indices trade, and on which closes they decide."""

import datetime as dt

import polars as pl
import pytest

from models_ml.indices.engine import fold
from models_ml.indices.schedule import calendar_instants, is_review, snapshot_days
from models_ml.indices.sections import Calendar
from models_ml.indices.state import midnight, new_state


def instants(first, last, **fields):
    calendar = Calendar(rule="monthly", **fields)
    return [instant.date() for instant in calendar_instants(calendar, midnight(first), midnight(last))]


def test_the_first_of_a_month_trades_at_its_midnight():
    assert instants(dt.date(2024, 1, 1), dt.date(2024, 3, 1)) == [dt.date(2024, 2, 1), dt.date(2024, 3, 1)]


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        # 2024-06-30 and 2024-06-29 are a weekend, 2024-06-01 and 2024-06-02 too.
        ("last_business_day", [dt.date(2024, 5, 31), dt.date(2024, 6, 28), dt.date(2024, 7, 31)]),
        ("first_business_day", [dt.date(2024, 6, 3), dt.date(2024, 7, 1), dt.date(2024, 8, 1)]),
    ],
)
def test_business_days_trade_at_their_close(day, closes):
    found = instants(dt.date(2024, 5, 15), dt.date(2024, 8, 15), day=day)

    assert found == [close + dt.timedelta(days=1) for close in closes]


def test_only_the_named_months_trade_and_only_review_months_choose_members():
    calendar = Calendar(rule="monthly", months=[3, 6, 9, 12], review_months=[6, 12], day="last_business_day")

    found = calendar_instants(calendar, midnight(dt.date(2024, 1, 1)), midnight(dt.date(2025, 1, 1)))

    # The last business day of March, June, September and December, whose midnight may lie in the next month.
    assert [str(each.date()) for each in found] == ["2024-03-30", "2024-06-29", "2024-10-01", "2025-01-01"]
    assert [is_review(calendar, each) for each in found] == [False, True, False, True]


def test_the_days_a_snapshot_is_needed_for_are_all_that_a_fold_asks_for(definition_of, walk_of):
    first, weeks = dt.date(2024, 1, 1), 60
    definition = definition_of(
        calendar={"rule": "monthly", "day": "last_business_day", "months": [2, 5, 8, 11]},
        base={"date": dt.date(2024, 1, 18)},
    )
    market = walk_of(seed=3, first=first, days=7 * weeks)
    mondays = [first + dt.timedelta(days=7 * week) for week in range(1, weeks)]

    list(fold(definition, new_state(definition), mondays, market.data()))

    assert len(market.asked) > 4
    assert set(market.asked) <= set(snapshot_days(definition, first, mondays[-1]))


def test_between_reviews_members_stay_and_weights_are_set_anew(definition_of, market_of):
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=offset) for offset in range(125)]
    rising = {day: 1.0 + offset for offset, day in enumerate(days)}
    market = market_of(
        {"big": dict.fromkeys(days, 90.0), "fading": dict.fromkeys(days, 40.0), "rising": rising},
        supply={"rising": 1e6},
    )
    definition = definition_of(
        selection={"count": 2},
        calendar={"rule": "monthly", "review_months": [1, 4]},
        base={"date": dt.date(2024, 1, 14)},
        minimum_constituents=2,
    )
    mondays = [day for day in days if day.weekday() == 0][3:]

    results = list(fold(definition, new_state(definition), mondays, market.data()))

    made = {}
    for result in results:
        for when, token_id, weight in result.rebalances.select("effective_at", "token_id", "target_weight").iter_rows():
            made.setdefault(when.date(), {})[token_id] = weight
    assert set(made[dt.date(2024, 3, 1)]) == {"big", "fading"}  # rising is larger by then
    assert made[dt.date(2024, 3, 1)]["big"] == pytest.approx(90 / 130)
    assert made[dt.date(2024, 4, 1)] == {
        "big": pytest.approx(90 / 181),
        "fading": 0.0,
        "rising": pytest.approx(91 / 181),
    }


def test_between_reviews_a_member_without_a_price_leaves_whatever_else_it_fails(definition_of, market_of):
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=offset) for offset in range(70)]
    market = market_of(
        {name: dict.fromkeys(days, price) for name, price in (("big", 90.0), ("mid", 50.0), ("gone", 40.0))}
    )
    stopped, named = dt.date(2024, 2, 20), dt.date(2024, 2, 29)
    market.prices = market.prices.filter((pl.col("token_id") != "gone") | (pl.col("market_date") < stopped))
    candidates = market.candidates
    market.candidates = lambda day: candidates(day).with_columns(
        volume_30d_median_usd=pl.when(day >= named).then(0.0).otherwise("volume_30d_median_usd")
    )
    definition = definition_of(
        calendar={"rule": "monthly", "review_months": [1]}, base={"date": dt.date(2024, 1, 14)}, minimum_constituents=2
    )
    mondays = [day for day in days if day.weekday() == 0][3:]

    results = list(fold(definition, new_state(definition), mondays, market.data()))

    made = pl.concat([result.rebalances for result in results]).filter(
        pl.col("effective_at").dt.date() == dt.date(2024, 3, 1)
    )
    assert dict(made.select("token_id", "target_weight").iter_rows()) == {
        "big": pytest.approx(90 / 140),
        "mid": pytest.approx(50 / 140),
        "gone": 0.0,
    }
