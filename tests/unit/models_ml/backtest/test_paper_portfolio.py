"""Weekly holdings of the portfolio behind a net level: a case by hand, and what ties them to the level."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.backtest.costs import TradingCosts
from models_ml.backtest.errors import BacktestDataError
from models_ml.backtest.net_levels import TradingRules, net_levels
from models_ml.backtest.paper_portfolio import CASH, HOLDING_SCHEMA, WeeklyHoldings
from tests.examples import examples

CASES = examples(6, many=20)
FEE_ONLY = TradingCosts(venue_fee=0.01, half_spread_floors=((0.0, 0.0),), impact=0.0)
FREELY = TradingRules.unlimited()


def walk(rebalances, daily, *, capital=1e4, **options):
    held = WeeklyHoldings(capital_usd=capital)
    net = net_levels(rebalances, daily, holdings=held, **options)
    return net, held.frame()


def of_token(frame, token_id):
    return frame.filter(pl.col("token_id") == token_id).sort("as_of_week")


def test_units_basis_and_gain_of_a_case_by_hand(daily_of, rebalances_of):
    # Monday 2024-01-01 is day 0, the Sundays are days 6 and 13. Bought whole at 100; at 200 half of it goes into the other.
    daily = daily_of({"aaa": [100.0] * 5 + [200.0] * 10, "bbb": [50.0] * 15})
    rebalances = rebalances_of({0: {"aaa": 1.0}, 8: {"aaa": 0.5, "bbb": 0.5}})

    _, frame = walk(rebalances, daily, costs=FEE_ONLY, rules=FREELY)

    aaa, bbb = of_token(frame, "aaa"), of_token(frame, "bbb")
    units = 10_000 / 1.01 / 100
    assert aaa["as_of_week"].to_list() == [dt.date(2024, 1, 8), dt.date(2024, 1, 15)]
    assert aaa["units"].to_list() == pytest.approx([units, units / 2])
    assert aaa["cost_basis_usd"].to_list() == pytest.approx(
        [10_000, 5_000]
    )  # with the fee; a sale takes its part along
    assert aaa["unrealised_return"].to_list() == pytest.approx([2 / 1.01 - 1] * 2)
    proceeds = units / 2 * 200 * 0.99
    assert bbb["units"].to_list() == pytest.approx([proceeds / 1.01 / 50])
    assert bbb["cost_basis_usd"].to_list() == pytest.approx([proceeds])
    assert bbb["unrealised_return"].to_list() == pytest.approx([1 / 1.01 - 1])


def test_nothing_is_held_before_the_first_trade_and_each_index_begins_on_its_own_day(daily_of, rebalances_of):
    daily = daily_of({"aaa": [1.0] * 22})
    rebalances = pl.concat([rebalances_of({0: {"aaa": 1.0}}), rebalances_of({10: {"aaa": 1.0}}, index_id="late")])

    _, frame = walk(rebalances, daily)

    weeks = {
        index_id: sorted(set(part["as_of_week"].to_list()))
        for (index_id,), part in frame.partition_by("index_id", as_dict=True).items()
    }
    assert weeks["index"] == [dt.date(2024, 1, 8), dt.date(2024, 1, 15), dt.date(2024, 1, 22)]
    assert weeks["late"] == [dt.date(2024, 1, 15), dt.date(2024, 1, 22)]


def test_a_purchase_that_waits_for_volume_is_cash_so_far(daily_of, rebalances_of):
    daily = daily_of({"aaa": [1.0] * 8}, volume=10_000.0)  # 500 USD a day may be traded

    _, frame = walk(rebalances_of({0: {"aaa": 1.0}}), daily, costs=None)

    cash, aaa = of_token(frame, CASH), of_token(frame, "aaa")
    assert aaa["units"].to_list() == pytest.approx([7 * 500])
    assert cash["value_usd"].to_list() == cash["units"].to_list() == pytest.approx([10_000 - 7 * 500])
    assert cash["weight"].to_list() == pytest.approx([0.65])
    assert cash["unrealised_return"].to_list() == [None]


def test_a_token_without_a_price_for_long_is_held_and_worth_nothing(daily_of, rebalances_of):
    daily = daily_of({"aaa": [1.0] * 3, "bbb": [1.0] * 60})

    _, frame = walk(rebalances_of({0: {"aaa": 0.5, "bbb": 0.5}}), daily)

    newest = of_token(frame, "aaa").tail(1)
    assert newest["units"][0] > 0
    assert newest.select("price_usd", "value_usd", "weight", "unrealised_return").row(0) == (None, 0.0, 0.0, -1.0)


@CASES
@given(seed=st.integers(0, 10_000))
def test_holdings_and_cash_add_up_to_the_net_level_less_the_costs_of_the_day(random_case, seed):
    daily, rebalances = random_case(seed)

    net, frame = walk(rebalances, daily, base_level=100.0)

    worth = frame.group_by("as_of_week").agg(pl.col("value_usd").sum(), pl.col("weight").sum())
    days = net.filter(pl.col("capital_usd") == 1e4).with_columns(as_of_week=pl.col("date") + pl.duration(days=1))
    both = worth.join(days, on="as_of_week", how="left")
    assert both.height == worth.height > 10
    expected = both["level_net"] / 100 * 1e4 * (1 - both["cost_paid"])
    assert both["value_usd"].to_list() == pytest.approx(expected.to_list(), rel=1e-9)
    assert worth["weight"].to_list() == pytest.approx([float(value > 0) for value in both["value_usd"]])
    assert frame.filter(pl.col("units") < 0).is_empty()
    assert frame.filter(pl.col("cost_basis_usd") < 0).is_empty()


@CASES
@given(seed=st.integers(0, 10_000), cut=st.integers(30, 100))
def test_a_week_ignores_all_later_days(random_case, seed, cut):
    daily, rebalances = random_case(seed)
    last = daily["market_date"].min() + dt.timedelta(days=cut)

    _, full = walk(rebalances, daily)
    _, truncated = walk(rebalances, daily.filter(pl.col("market_date") <= last))

    known = full.filter(pl.col("as_of_week") <= last + dt.timedelta(days=1))
    key = ["as_of_week", "index_id", "token_id"]
    assert truncated.select(key).equals(known.select(key))
    for name in ("units", "value_usd", "cost_basis_usd"):
        assert truncated[name].to_list() == pytest.approx(known[name].to_list(), rel=1e-9, abs=1e-9)


def test_noting_holdings_changes_no_level(random_case):
    daily, rebalances = random_case(5)

    net, _ = walk(rebalances, daily)

    assert net.equals(net_levels(rebalances, daily))


def test_a_capital_that_is_not_walked_is_refused_and_without_rebalances_there_is_nothing(daily_of, rebalances_of):
    daily = daily_of({"aaa": [1.0] * 8})

    with pytest.raises(BacktestDataError, match="capital_usd is 5, which is not walked"):
        walk(rebalances_of({0: {"aaa": 1.0}}), daily, capital=5.0)
    _, frame = walk(rebalances_of({}), daily)

    assert frame.schema == HOLDING_SCHEMA
    assert frame.is_empty()
