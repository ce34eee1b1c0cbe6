"""Levels before and after costs: the engine and bt as oracles, small cases by hand, and what must always hold."""

import datetime as dt
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.backtest.costs import TradingCosts
from models_ml.backtest.errors import BacktestDataError
from models_ml.backtest.net_levels import TradingRules, gross_levels, net_levels
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.engine import fold
from models_ml.indices.market import CANDIDATE_SCHEMA, MarketData, MarketState
from models_ml.indices.state import new_state
from tests.examples import examples

START = dt.date(2024, 1, 1)
CASES = examples(6, many=20)
FEE_ONLY = TradingCosts(venue_fee=0.01, half_spread_floors=((0.0, 0.0),), impact=0.0)


def market_data(daily):
    """Daily rows as the engine takes them: caps of a million tokens each, everything eligible."""
    blank = {name: pl.lit(None, dtype) for name, dtype in CANDIDATE_SCHEMA.items()}
    rows = daily.with_columns(
        **{
            **blank,
            "token_id": pl.col("token_id"),
            "symbol": pl.col("token_id"),
            "price_usd": pl.col("price_usd"),
            "market_cap_usd": pl.col("price_usd") * 1e6,
            "volume_30d_median_usd": pl.lit(1e9),
            "age_days": pl.lit(500),
        }
    )
    return MarketData(
        prices=daily,
        candidates=lambda day: rows.filter(pl.col("market_date") == day),
        market_state=lambda day: MarketState(None),
    )


def of_capital(net, capital):
    return net.filter(pl.col("capital_usd") == capital).sort("date")


def free(rebalances, daily, **options):
    return net_levels(rebalances, daily, costs=None, rules=TradingRules.unlimited(), **options)


@pytest.mark.parametrize("weighting", ["equal", "market_cap"])
def test_levels_equal_those_that_the_index_engine_publishes(weighting, random_case):
    daily, _ = random_case(3, days=140)
    definition = IndexDefinition.model_validate(
        {
            "index_id": "top4",
            "name": "Top 4",
            "kind": "passive",
            "methodology": "The four largest.",
            "selection": {"count": 4},
            "weighting": {"method": weighting},
            "calendar": {"rule": "monthly"},
            "minimum_constituents": 2,
        }
    )
    weeks = [START + dt.timedelta(days=7 * week) for week in range(1, 20)]
    results = list(fold(definition, new_state(definition), weeks, market_data(daily)))
    published = pl.concat([result.levels for result in results])
    rebalances = pl.concat([result.rebalances for result in results])

    gross = gross_levels(rebalances, daily, last_date=weeks[-1] - dt.timedelta(days=1))
    net = free(rebalances, daily, capitals_usd=[1e7])

    assert published.height > 100
    both = published.join(gross, on=["date", "index_id"]).join(net, on=["date", "index_id"])
    assert both.height == published.height
    assert both["level_right"].to_numpy() == pytest.approx(both["level"].to_numpy(), rel=1e-9)
    assert both["level_net"].to_numpy() == pytest.approx(both["level"].to_numpy(), rel=1e-9)


# bt brings a plotting library and pandas idioms that warn; neither is ours.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weighting", ["equal", "market_cap"])
def test_gross_level_equals_what_bt_makes_of_the_same_monthly_rebalances(weighting, daily_of, rebalances_of):
    import bt
    import pandas as pd

    days, tokens = 400, ["a", "b", "c", "d"]
    generator = np.random.default_rng(11)
    paths = np.exp(np.cumsum(generator.normal(0, 0.05, (days, 4)), axis=0))
    supply = np.array([1.0, 3.0, 7.0, 2.0]) if weighting == "market_cap" else 1 / paths
    shares = paths * supply / (paths * supply).sum(axis=1, keepdims=True)
    index = pd.date_range(START, periods=days)
    trades = [0, *np.flatnonzero(index.is_month_end).tolist()]
    strategy = bt.Strategy(
        "oracle",
        [
            bt.algos.RunOnDate(*index[trades]),
            bt.algos.SelectAll(),
            bt.algos.WeighTarget(pd.DataFrame(shares[trades], index=index[trades], columns=tokens)),
            bt.algos.Rebalance(),
        ],
    )
    frame = pd.DataFrame(paths, index=index, columns=tokens)
    oracle = bt.run(bt.Backtest(strategy, frame, integer_positions=False, progress_bar=False)).prices["oracle"]
    daily = daily_of({token: paths[:, number].tolist() for number, token in enumerate(tokens)})
    weights = {trade: dict(zip(tokens, shares[trade].tolist(), strict=True)) for trade in trades}

    gross = gross_levels(rebalances_of(weights), daily, base_level=100.0)
    net = free(rebalances_of(weights), daily, base_level=100.0)

    expected = oracle.to_numpy()[-days:]
    assert gross["level"].to_numpy() == pytest.approx(expected, rel=1e-9)
    assert of_capital(net, 1e6)["level_net"].to_numpy() == pytest.approx(expected, rel=1e-9)


@CASES
@given(seed=st.integers(0, 10**6))
def test_free_trades_without_limit_give_the_gross_level(seed, random_case):
    daily, rebalances = random_case(seed)

    gross = gross_levels(rebalances, daily)
    net = free(rebalances, daily)

    for capital in (1e4, 1e5, 1e6, 1e7):
        rows = of_capital(net, capital)
        assert rows["level_net"].to_numpy() == pytest.approx(gross["level"].to_numpy(), rel=1e-9)
        assert rows["cost_paid"].sum() == 0
        assert rows["carried_weight"].sum() == 0


@CASES
@given(seed=st.integers(0, 10**6), fee=st.floats(0.0005, 0.02))
def test_costs_only_ever_lower_the_level_and_more_so_for_more_money(seed, fee, random_case):
    daily, rebalances = random_case(seed)
    rules = TradingRules(share_of_volume=None, write_off_after_days=None)

    gross = gross_levels(rebalances, daily)["level"].to_numpy()
    net = net_levels(rebalances, daily, costs=TradingCosts(venue_fee=fee), rules=rules)

    levels = [of_capital(net, capital)["level_net"].to_numpy() for capital in (1e4, 1e5, 1e6, 1e7)]
    assert levels[0][0] == pytest.approx(gross[0])
    assert (levels[0][1:] < gross[1:]).all()
    for less, more in itertools.pairwise(levels):
        assert (more <= less * (1 + 1e-12)).all()


@CASES
@given(seed=st.integers(0, 10**6), volume=st.floats(1e3, 1e8))
def test_no_day_trades_more_than_its_share_and_no_portfolio_is_in_debt(seed, volume, random_case):
    daily, rebalances = random_case(seed, tokens=4, volume=volume)
    volumes = daily.group_by("market_date").agg(pl.col("trusted_volume_24h_usd").sum())

    net = net_levels(rebalances, daily, costs=TradingCosts())

    rows = net.join(volumes, left_on="date", right_on="market_date", how="left")
    worth = pl.col("level_net") / 1000 * pl.col("capital_usd")
    traded = rows.select(usd=2 * pl.col("turnover") * worth, limit=0.05 * pl.col("trusted_volume_24h_usd").fill_null(0))
    assert (traded["usd"] <= traded["limit"] * (1 + 1e-9) + 1e-9).all()
    assert rows["cash_weight"].is_between(0, 1 + 1e-12).all()
    assert (rows["level_net"] >= 0).all()


@CASES
@given(seed=st.integers(0, 10**6), cut=st.integers(2, 119))
def test_net_levels_up_to_a_day_ignore_all_later_days(seed, cut, random_case):
    daily, rebalances = random_case(seed)
    last = START + dt.timedelta(days=cut)

    full = net_levels(rebalances, daily, costs=TradingCosts()).filter(pl.col("date") <= last)
    cut_off = net_levels(rebalances, daily.filter(pl.col("market_date") <= last), costs=TradingCosts(), last_date=last)

    # Tokens that come later stand between others in a sum, which may change its last digit.
    assert full.height == cut_off.height
    for column in ("level_net", "cost_paid", "turnover", "carried_weight", "cash_weight"):
        assert cut_off[column].to_numpy() == pytest.approx(full[column].to_numpy(), rel=1e-9, abs=1e-12)


@CASES
@given(seed=st.integers(0, 10**6), weight=st.floats(0.01, 0.99))
def test_a_constituent_that_goes_to_zero_loses_exactly_its_weight(seed, weight, daily_of, rebalances_of):
    dying = [1.0, float(np.random.default_rng(seed).uniform(0.5, 2)), 1e-15]
    daily = daily_of({"dying": dying, "steady": [3.0, 3.0, 3.0]})
    rebalances = rebalances_of({0: {"dying": weight, "steady": 1 - weight}})

    gross = gross_levels(rebalances, daily)
    net = free(rebalances, daily, capitals_usd=[1e4])

    assert gross["level"][2] == pytest.approx(1000 * (1 - weight), rel=1e-9)
    assert net["level_net"][2] == pytest.approx(1000 * (1 - weight), rel=1e-9)


def test_a_fee_takes_its_share_of_the_first_purchase_and_of_each_trade(daily_of, rebalances_of):
    # 1 % of each trade: 1000 / 1.01 = 990.0990 buys a and b in halves. a doubles, b stays, and a half of each is held
    # again: the portfolio is worth 1485.1485, a has 247.5248 too much. Selling it brings 245.0495, which buys b for
    # 242.6233; both are worth 742.5743 + 737.6728 = 1480.2470.
    daily = daily_of({"a": [1.0, 2.0, 2.0], "b": [1.0, 1.0, 1.0]})
    rebalances = rebalances_of({0: {"a": 0.5, "b": 0.5}, 1: {"a": 0.5, "b": 0.5}})

    net = net_levels(rebalances, daily, costs=FEE_ONLY, capitals_usd=[1000.0])

    assert net["level_net"].to_list() == pytest.approx([1000.0, 1485.148515, 1480.247035], abs=1e-6)
    assert net["cost_paid"].to_list() == pytest.approx([0.00990099, (2.475248 + 2.426233) / 1485.148515, 0.0], abs=1e-8)
    assert net["turnover"].to_list() == pytest.approx(
        [0.4950495, (247.524752 + 242.623272) / 2 / 1485.148515, 0], abs=1e-8
    )


@CASES
@given(impact=st.floats(0, 100), capital=st.floats(1, 1e9))
def test_a_purchase_and_its_cost_spend_the_capital_and_not_more(impact, capital, daily_of, rebalances_of):
    daily = daily_of({"a": [1.0, 1.0]}, volume=1e6)
    costs = TradingCosts(venue_fee=0.001, half_spread_floors=((0.0, 0.0),), impact=impact)

    net = net_levels(
        rebalances_of({0: {"a": 1.0}}), daily, costs=costs, rules=TradingRules.unlimited(), capitals_usd=[capital]
    )

    bought = 2 * net["turnover"][0] * capital
    rate = 0.001 + impact * 0.1 * np.sqrt(bought / 1e6)
    assert bought * (1 + rate) == pytest.approx(capital, rel=1e-9)
    assert bought * (1 + rate) <= capital * (1 + 1e-14)
    assert net["level_net"][1] == pytest.approx(1000 / (1 + rate), rel=1e-9)


def test_what_the_volume_does_not_allow_is_carried_and_waits_as_cash(daily_of, rebalances_of):
    # 5 % of 4000 USD are 200 USD a day. 1000 USD go half into deep and half into thin, which takes three days: 200, 200
    # and 100. No price moves.
    volume = {"deep": [1e9] * 5, "thin": [4000.0] * 5}
    daily = daily_of({"deep": [1.0] * 5, "thin": [1.0] * 5}, volume=volume)
    rebalances = rebalances_of({0: {"deep": 0.5, "thin": 0.5}})

    net = net_levels(rebalances, daily, costs=None, capitals_usd=[1000.0])

    assert net["turnover"].to_list() == pytest.approx([0.35, 0.1, 0.05, 0, 0])
    assert net["carried_weight"].to_list() == pytest.approx([0.15, 0.05, 0, 0, 0])
    assert net["cash_weight"].to_list() == pytest.approx([0.3, 0.1, 0, 0, 0])
    assert net["level_net"].to_list() == pytest.approx([1000.0] * 5)


def test_a_carried_purchase_misses_the_rise_and_follows_the_basket(daily_of, rebalances_of):
    # Day 0 buys 500 of deep and 200 of thin, 300 stay in cash. On day 1 thin is at 2: the portfolio is worth 1200, the
    # basket would be 1500 with two thirds in thin. thin is to be 800, 400 are held, the day allows 200, the cash has 300.
    # On day 2 it is to be 800 again, and the 100 that are left buy all they can.
    volume = {"deep": [1e9] * 4, "thin": [4000.0] * 4}
    daily = daily_of({"deep": [1.0] * 4, "thin": [1.0, 2.0, 2.0, 2.0]}, volume=volume)
    rebalances = rebalances_of({0: {"deep": 0.5, "thin": 0.5}})

    net = net_levels(rebalances, daily, costs=None, capitals_usd=[1000.0])

    assert net["level_net"].to_list() == pytest.approx([1000.0, 1200.0, 1200.0, 1200.0])
    assert net["turnover"].to_list() == pytest.approx([0.35, 100 / 1200, 50 / 1200, 0])
    assert net["carried_weight"].to_list() == pytest.approx([0.15, 100 / 1200, 0, 0])
    assert net["cash_weight"].to_list() == pytest.approx([0.3, 100 / 1200, 0, 0])


def test_purchases_wait_for_the_sales_that_pay_for_them(daily_of, rebalances_of):
    # From thin, sold 50 a day, into deep.
    volume = {"deep": [1e9] * 5, "thin": [1e9, 1000.0, 1000.0, 1000.0, 1000.0]}
    daily = daily_of({"deep": [1.0] * 5, "thin": [1.0] * 5}, volume=volume)
    rebalances = rebalances_of({0: {"thin": 1.0}, 1: {"deep": 1.0, "thin": 0.0}})

    net = net_levels(rebalances, daily, costs=None, capitals_usd=[1000.0])

    assert net["turnover"].to_list() == pytest.approx([0.5, 0.05, 0.05, 0.05, 0.05])
    assert net["carried_weight"].to_list() == pytest.approx([0, 0.95, 0.9, 0.85, 0.8])
    assert net["cash_weight"].to_list() == pytest.approx([0.0] * 5)


def test_a_day_without_volume_trades_nothing(daily_of, rebalances_of):
    daily = daily_of({"a": [1.0, 1.0, 2.0]}, volume={"a": [None, 1e9, 1e9]})

    net = net_levels(rebalances_of({0: {"a": 1.0}}), daily, costs=None, capitals_usd=[1000.0])

    assert net["level_net"].to_list() == pytest.approx([1000.0, 1000.0, 2000.0])
    assert net["cash_weight"].to_list() == pytest.approx([1.0, 0.0, 0.0])


def test_a_token_that_cannot_be_sold_keeps_its_price_for_30_days_and_is_then_worth_nothing(daily_of, rebalances_of):
    days = 40
    daily = daily_of({"dead": [1.0, 1.0], "live": [1.0] * days})
    rebalances = rebalances_of({0: {"dead": 0.25, "live": 0.75}, 5: {"live": 1.0}})

    net = net_levels(rebalances, daily, costs=None, capitals_usd=[1000.0])
    gross = gross_levels(rebalances, daily)

    # Its last close is that of day 1, so day 31 is the last on which it counts.
    assert net["level_net"].to_list() == pytest.approx([1000.0] * 32 + [750.0] * (days - 32))
    assert net["carried_weight"][5] == pytest.approx(0.25)
    assert gross["level"].to_list() == pytest.approx([1000.0] * days)


def test_stablecoins_pay_costs_like_any_token(daily_of, rebalances_of):
    daily = daily_of({"bitcoin": [1.0] * 3, "tether": [1.0] * 3})
    rebalances = rebalances_of({0: {"bitcoin": 1.0}, 1: {"tether": 1.0}})

    net = net_levels(rebalances, daily, costs=FEE_ONLY, capitals_usd=[1000.0])

    assert net["level_net"].to_list() == pytest.approx([1000, 1000 / 1.01, 1000 / 1.01 * 0.99 / 1.01])


def test_a_constant_capital_keeps_the_cost_of_a_trade_where_the_level_grows(daily_of, rebalances_of):
    # The level rises a hundredfold between two equal trades.
    prices = [1.0, 100.0, 100.0]
    daily = daily_of({"a": prices, "b": [1.0] * 3}, volume=1e6)
    rebalances = rebalances_of({0: {"a": 1.0}, 1: {"b": 1.0}})
    impact = TradingCosts(venue_fee=0.0, half_spread_floors=((0.0, 0.0),), impact=1.0)
    options = {"costs": impact, "capitals_usd": [1000.0]}

    grown = net_levels(rebalances, daily, rules=TradingRules(share_of_volume=None), **options)
    constant = net_levels(
        rebalances, daily, rules=TradingRules(share_of_volume=None, is_capital_constant=True), **options
    )

    # 10 % assumed volatility x sqrt(1000 / 1e6) = 0.316 % a side; hundred times the money costs ten times that.
    assert constant["cost_paid"][1] == pytest.approx(2 * 0.00316, rel=0.01)
    assert grown["cost_paid"][1] == pytest.approx(2 * 0.0316, rel=0.05)


def test_a_token_without_a_row_that_day_costs_what_it_last_did(daily_of, rebalances_of):
    # a is bought on day 2, of which it has no row; its volume of day 1 put it into the bucket of 0.2 %. b has never
    # had a volume: 1 % and a day's move of 10 %.
    daily = daily_of({"a": [1.0, 1.0, None, 1.0]}, volume={"a": [1e4, 2e7, None, 1e4]})
    unknown = daily_of({"b": [1.0] * 4}, volume={"b": [None] * 4})
    rebalances = rebalances_of({2: {"a": 1.0}, 3: {"b": 1.0}})

    net = net_levels(
        rebalances,
        pl.concat([daily, unknown]),
        costs=TradingCosts(venue_fee=0.0, impact=1e-9),
        rules=TradingRules.unlimited(),
        capitals_usd=[1.0],
    )

    assert net["cost_paid"].to_list() == pytest.approx([0.002 / 1.002, 0.002 + 0.998 * 0.01 / 1.01], abs=1e-6)


def test_of_two_rebalances_at_one_close_the_later_one_counts(daily_of, rebalances_of):
    daily = daily_of({"a": [1.0, 2.0], "b": [1.0, 1.0]})
    early = rebalances_of({0: {"a": 1.0}})
    late = rebalances_of({0: {"b": 1.0}}).with_columns(pl.col("effective_at") + pl.duration(hours=5))

    gross = gross_levels(pl.concat([early, late]), daily)

    assert gross["level"].to_list() == pytest.approx([1000.0, 1000.0])


def test_indices_start_on_their_own_day_and_at_their_own_base(daily_of, rebalances_of):
    daily = daily_of({"a": [1.0, 2.0, 4.0]})
    both = pl.concat([rebalances_of({0: {"a": 1.0}}, index_id="old"), rebalances_of({1: {"a": 1.0}}, index_id="young")])

    net = free(both, daily, base_level={"old": 100.0, "young": 1000.0}, capitals_usd=[10.0])

    assert net.filter(pl.col("index_id") == "old")["level_net"].to_list() == pytest.approx([100, 200, 400])
    assert net.filter(pl.col("index_id") == "young")["level_net"].to_list() == pytest.approx([1000, 2000])
    with pytest.raises(BacktestDataError, match="base_level names no level for young"):
        gross_levels(both, daily, base_level={"old": 100.0})


def test_nothing_to_hold_gives_no_rows_and_wrong_input_is_refused(daily_of, rebalances_of):
    daily = daily_of({"a": [1.0]})
    later = rebalances_of({5: {"a": 1.0}})

    assert gross_levels(later, daily).is_empty()
    assert net_levels(later, daily, costs=None).is_empty()
    with pytest.raises(BacktestDataError, match="has the weight -1"):
        gross_levels(rebalances_of({0: {"a": -1.0}}), daily)
    with pytest.raises(BacktestDataError, match="holds no token"):
        gross_levels(rebalances_of({0: {"a": 0.0}}), daily)
    with pytest.raises(BacktestDataError, match="target_weight is missing"):
        gross_levels(later.drop("target_weight"), daily)
    with pytest.raises(BacktestDataError, match="each above 0"):
        net_levels(later, daily, costs=None, capitals_usd=[0.0])
    with pytest.raises(BacktestDataError, match="share_of_volume is 0"):
        TradingRules(share_of_volume=0.0)
