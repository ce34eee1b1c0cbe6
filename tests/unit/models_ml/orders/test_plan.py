"""Order plans: cases by hand, and what must hold whatever is held, wanted and allowed."""

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models_ml.orders.errors import OrderDataError
from models_ml.orders.market_rules import DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE, MarketRules
from models_ml.orders.matching import Match, Quote
from models_ml.orders.plan import Line, PlanRules, apply_orders, plan_orders

CASES = settings(max_examples=100, deadline=None)


def orders_of(plan):
    return [(order.side, order.market_id, f"{order.amount.normalize():f}") for order in plan.orders]


def test_a_first_purchase_pays_its_fee_out_of_the_capital(line):
    # 1,000 USDT at 10 a token and a fee of 0.1 %: worth after costs W = 1000 - 0.001 W, so W = 999.00; 99.900 tokens.
    plan = plan_orders([line("AAA", 1.0)], cash=Decimal(1000))

    assert orders_of(plan) == [("buy", "AAA/USDT", "99.9")]
    assert plan.cash_after == Decimal(1000) - Decimal("99.9") * 10 * Decimal("1.001")
    assert plan.fees == Decimal("0.999")


def test_a_fee_taken_out_of_what_is_bought_leaves_fewer_tokens_and_costs_no_cash(line):
    plan = plan_orders([line("AAA", 1.0, is_fee_in_base=True)], cash=Decimal(1000))

    (order,) = plan.orders
    assert order.amount == Decimal("99.999")  # the step below 100; a part of 1e-9 is never spent
    assert plan.cash_after == Decimal(1000) - order.notional
    assert plan.reached[0].units == Decimal("99.999") * Decimal("0.999")


def test_sales_come_before_the_purchases_they_pay_for(line):
    lines = [line("NEW", 0.5), line("OLD", 0.0, held="50"), line("KEPT", 0.5, held="50")]

    plan = plan_orders(lines, cash=Decimal(0))

    assert orders_of(plan) == [("sell", "OLD/USDT", "50"), ("buy", "NEW/USDT", "49.9")]
    assert plan.orders[0].reason == "not in the index; 50.00% held"
    assert plan.orders[1].reason == "enters at 50.00%"
    assert 0 <= plan.cash_after < 1


def test_purchases_are_priced_at_the_ask_and_sales_at_the_bid(line):
    lines = [line("NEW", 1.0, bid="9.9", ask="10.1"), line("OLD", 0.0, held="50", bid="19", ask="21")]

    plan = plan_orders(lines, cash=Decimal(0))

    assert [order.price for order in plan.orders] == [Decimal(19), Decimal("10.1")]
    assert plan.worth_before == 1000


def test_an_order_below_a_minimum_is_left_out_and_named_and_its_money_stays(line):
    lines = [line("BIG", 0.96), line("TINY", 0.04), line("FEW", 0.0, held="0.4"), line("COIN", 0.0, held="0.0004")]

    plan = plan_orders(lines, cash=Decimal(100))

    assert [order.symbol for order in plan.orders] == ["BIG"]
    # Worth 104.004, less the fee of what is bought: 4 % of it are 4.156, and 0.415 tokens in steps of 0.001.
    assert {each.symbol: each.reason for each in plan.skipped} == {
        "TINY": "4.15 USDT is below the smallest order of 5 USDT",
        "FEW": "dust: 4.00 USDT is below the smallest order of 5 USDT",
        "COIN": "dust: less than one step of 0.001 COIN",
    }
    assert plan.cash_after > 0


def plan_reason(plan, symbol):
    return next(each.reason for each in plan.skipped if each.symbol == symbol)


def test_a_smallest_amount_counts_beside_a_smallest_notional(line):
    plan = plan_orders([line("AAA", 0.5, smallest_amount=6.0), line("BBB", 0.5)], cash=Decimal(100))

    assert [order.symbol for order in plan.orders] == ["BBB"]
    assert "is below the smallest order of 6 AAA" in plan_reason(plan, "AAA").replace("6.0 ", "6 ")


@pytest.mark.parametrize("is_spread", [False, True])
def test_the_weight_of_what_cannot_be_traded_waits_in_cash_or_is_spread(line, is_spread):
    lines = [line("AAA", 0.6), line("HALT", 0.4, problem="the venue has halted HALT/USDT")]

    plan = plan_orders(lines, cash=Decimal(1000), rules=PlanRules(is_missing_spread=is_spread))

    share = {each.symbol: each.weight for each in plan.reached}
    assert share["AAA"] == pytest.approx(1.0 if is_spread else 0.6, abs=1e-3)
    assert share["HALT"] == 0
    assert plan_reason(plan, "HALT") == "the venue has halted HALT/USDT"


def test_a_halted_holding_counts_as_it_stands_and_is_not_bought_twice(line):
    lines = [line("AAA", 0.5), line("HALT", 0.5, held="50", problem="the venue has halted HALT/USDT")]

    plan = plan_orders(lines, cash=Decimal(500))

    assert orders_of(plan) == [("buy", "AAA/USDT", "49.95")]
    assert plan.worth_before == 1000


def test_a_holding_without_a_quote_is_worth_its_close(line):
    lines = [line("AAA", 0.5), line("GONE", 0.0, held="10", bid=None, close="50", problem="no market")]

    plan = plan_orders(lines, cash=Decimal(500))

    assert plan.worth_before == 1000
    assert plan.reached[-1].value == 500


def test_the_quote_currency_in_an_index_is_cash_that_stays(line):
    plan = plan_orders([line("AAA", 0.7)], cash=Decimal(1000), cash_weight=0.3)

    assert float(plan.cash_after) == pytest.approx(300, abs=1)
    assert plan.largest_difference < 1e-3


def test_what_trades_in_lots_is_ordered_in_lots_and_held_in_tokens(line):
    plan = plan_orders([line("1000SATS", 1.0, bid="0.2", multiple=1000, precision=1.0)], cash=Decimal(100))

    assert orders_of(plan) == [("buy", "1000SATS/USDT", "499")]
    assert plan.reached[0].units == 499_000
    assert float(plan.reached[0].value) == pytest.approx(99.8)


def test_a_hundredth_off_is_left_alone(line):
    lines = [line("AAA", 0.5, held="50.3"), line("BBB", 0.5, held="49.7")]

    assert plan_orders(lines, cash=Decimal(0)).orders == ()


def test_an_order_above_the_largest_one_says_so(line):
    plan = plan_orders([line("AAA", 1.0, largest_amount=50.0)], cash=Decimal(1000))

    assert plan.orders[0].note == "above the venue's largest order of 50 AAA: place it in parts"


def test_the_maker_fee_is_used_where_asked_for(line):
    plan = plan_orders([line("AAA", 1.0, maker_fee=0.0)], cash=Decimal(1000), rules=PlanRules(fee_kind="maker"))

    assert plan.fees == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cash": Decimal(-1)}, "cash is -1"),
        ({"cash": Decimal("NaN")}, "cash is NaN"),
        ({"cash": Decimal(0)}, "nothing to plan with"),
        ({"cash_weight": 0.5}, "sum to 1.5"),
    ],
)
def test_what_cannot_be_planned_with_is_refused(line, change, message):
    with pytest.raises(OrderDataError, match=message):
        plan_orders([line("AAA", 1.0)], **{"cash": Decimal(1000), **change})


def test_a_token_that_is_there_twice_is_refused(line):
    with pytest.raises(OrderDataError, match="aaa is there more than once"):
        plan_orders([line("AAA", 0.5), line("AAA", 0.5)], cash=Decimal(1))


# -- what must always hold --------------------------------------------------------------------------------------------

STEPS = st.sampled_from(
    [
        (TICK_SIZE, 1e-8),
        (TICK_SIZE, 0.001),
        (TICK_SIZE, 0.05),
        (TICK_SIZE, 1.0),
        (TICK_SIZE, 100.0),
        (DECIMAL_PLACES, 0),
        (DECIMAL_PLACES, 5),
        (SIGNIFICANT_DIGITS, 3),
        (SIGNIFICANT_DIGITS, 6),
    ]
)


@st.composite
def cases(draw):
    """Lines and cash; weights sum to at most 1."""
    count = draw(st.integers(1, 6))
    parts = draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0, 20.0]), min_size=count + 1, max_size=count + 1))
    lines = []
    for number in range(count):
        mode, precision = draw(STEPS)
        price = draw(st.sampled_from(["0.000012", "0.31", "7.5", "140", "61234.5"]))
        spread = draw(st.sampled_from(["1", "1.0005", "1.02"]))
        problem = draw(st.sampled_from([None, None, None, None, "halted"]))
        rules = MarketRules(
            market_id=f"T{number}/USDT",
            base=f"T{number}",
            quote="USDT",
            precision=precision,
            precision_mode=mode,
            smallest_amount=draw(st.sampled_from([None, 0.002, 10.0])),
            smallest_notional=draw(st.sampled_from([None, 1.0, 10.0])),
            taker_fee=draw(st.sampled_from([0.0, 0.001, 0.006])),
            is_fee_in_base=draw(st.booleans()),
        )
        worth = draw(st.sampled_from([0, 0, 3, 250, 4000]))
        lines.append(
            Line(
                token_id=f"t{number}",
                symbol=f"T{number}",
                target_weight=parts[number] / max(sum(parts), 1.0),
                units=(Decimal(worth) / Decimal(price)).quantize(Decimal("1e-9")),
                match=Match(rules, Quote(Decimal(price), Decimal(price) * Decimal(spread)), 1, problem),
            )
        )
    cash = Decimal(draw(st.sampled_from([0, 7, 100, 10_000, 2_000_000])))
    assume(cash or any(each.units for each in lines))
    return lines, cash, parts[-1] / max(sum(parts), 1.0)


@CASES
@given(case=cases(), is_spread=st.booleans())
def test_orders_never_spend_more_than_there_is(case, is_spread):
    lines, cash, cash_weight = case

    plan = plan_orders(lines, cash=cash, cash_weight=cash_weight, rules=PlanRules(is_missing_spread=is_spread))

    sold = sum(order.notional - order.fee for order in plan.orders if order.side == "sell")
    bought = sum(
        order.notional + (0 if order.is_fee_in_base else order.fee) for order in plan.orders if order.side == "buy"
    )
    assert bought <= cash + sold
    assert plan.cash_after == cash + sold - bought
    assert plan.cash_after >= 0


@CASES
@given(case=cases())
def test_every_amount_is_one_that_the_market_takes(case):
    lines, cash, cash_weight = case
    market = {each.token_id: each.match.rules for each in lines}
    units = {each.token_id: each.units for each in lines}

    plan = plan_orders(lines, cash=cash, cash_weight=cash_weight)

    for order in plan.orders:
        rules = market[order.token_id]
        assert rules.round_down(order.amount) == order.amount > 0
        if rules.precision_mode == TICK_SIZE:
            assert order.amount % Decimal(str(rules.precision)) == 0
        assert rules.shortfall(order.amount, order.price) is None
        assert order.side == "buy" or order.amount <= units[order.token_id]


@CASES
@given(case=cases())
def test_applying_the_orders_gives_the_holdings_that_are_told(case):
    lines, cash, cash_weight = case

    plan = plan_orders(lines, cash=cash, cash_weight=cash_weight)

    held, left = apply_orders(lines, cash, plan.orders)
    told = {each.token_id: each.units for each in plan.reached}
    assert {each.token_id: each.units for each in held if each.units or each.target_weight} == told
    assert left == plan.cash_after
    assert sum(each.value for each in plan.reached) + left == pytest.approx(plan.worth_after)


@CASES
@given(case=cases(), is_spread=st.booleans())
def test_planning_again_on_the_result_gives_no_order(case, is_spread):
    lines, cash, cash_weight = case
    rules = PlanRules(is_missing_spread=is_spread)
    plan = plan_orders(lines, cash=cash, cash_weight=cash_weight, rules=rules)
    held, left = apply_orders(lines, cash, plan.orders)
    assume(plan.worth_after > 0)

    again = plan_orders(held, cash=left, cash_weight=cash_weight, rules=rules)

    assert again.orders == ()


@CASES
@given(case=cases())
def test_no_token_is_sold_and_bought_and_none_that_cannot_be_traded_is_ordered(case):
    lines, cash, cash_weight = case

    plan = plan_orders(lines, cash=cash, cash_weight=cash_weight)

    ordered = [order.token_id for order in plan.orders]
    assert len({(order.token_id, order.side) for order in plan.orders}) == len(set(ordered))
    whole = {each.token_id for each in lines if each.match.rules.precision_mode != SIGNIFICANT_DIGITS}
    assert all(ordered.count(name) == 1 for name in whole & set(ordered))
    assert not set(ordered) & {each.token_id for each in lines if each.match.problem}
    sides = [order.side for order in plan.orders]
    assert sides == sorted(sides, reverse=True)  # sell before buy


@CASES
@given(capital=st.integers(10_000, 10_000_000), weights=st.lists(st.integers(1, 50), min_size=2, max_size=10))
def test_with_fine_steps_the_weights_are_reached(capital, weights):
    lines = [
        Line(
            token_id=f"t{number}",
            symbol=f"T{number}",
            target_weight=weight / sum(weights),
            units=Decimal(0),
            match=Match(MarketRules(market_id=f"T{number}/USDT", base=f"T{number}", quote="USDT"), QUOTE, 1, None),
        )
        for number, weight in enumerate(weights)
    ]

    plan = plan_orders(lines, cash=Decimal(capital))

    assert plan.largest_difference < 1e-6
    assert float(plan.worth_after) == pytest.approx(capital / 1.001, rel=1e-6)


QUOTE = Quote(Decimal("3.7"), Decimal("3.7"))
