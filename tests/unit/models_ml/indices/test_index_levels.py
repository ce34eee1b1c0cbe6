"""Levels by divisor, against a published example and by what must hold between rebalances."""

import datetime as dt

import pytest

from models_ml.indices.levels import Basket, basket_at, divisor_for, index_level
from models_ml.indices.market import MarketData
from models_ml.indices.state import Rebalance, Target, midnight

DAY = dt.date(2024, 3, 4)


def days(count, start=DAY):
    return [start + dt.timedelta(days=offset) for offset in range(count)]


def rebalance(day, level=None, **weights):
    targets = tuple(Target(token, token.upper(), weight, "") for token, weight in sorted(weights.items()))
    return Rebalance(midnight(day + dt.timedelta(days=1)), targets, level)


def test_level_by_divisor_equals_the_published_example_to_the_last_digit():
    # Published example of a divisor index: five tokens, prices of 2017-02-01.
    units = [16136712, 88440036, 36856524148, 49589181, 13859864]
    prices = [986.572890345435, 10.7009894182225, 0.006492, 4.05834934208374, 13.2887379822471]

    level = index_level(units, prices, divisor=17185084)

    assert level == 1017.8094773301837
    value = level * 17185084
    shares = [unit * price / value for unit, price in zip(units, prices, strict=True)]
    assert shares == pytest.approx([0.91017746, 0.05410715, 0.01367964, 0.01150584, 0.01052991], abs=5e-9)


def test_divisor_follows_from_the_market_caps_of_the_base_day():
    # The same example: market caps of 2017-01-31 and base 1000.
    caps = [15624634422.4056, 944300621.568972, 233522937.001728, 200989557.98586, 181636487.415841]

    divisor = divisor_for(caps, [1.0] * 5, level=1000)

    assert divisor == pytest.approx(17185084.026378, abs=1e-6)


def test_a_basket_moves_with_the_weighted_returns_of_its_tokens(market_of):
    first, second = days(2)
    market = market_of({"a": {first: 10.0, second: 20.0}, "b": {first: 5.0, second: 4.0}})
    basket = Basket.bought(rebalance(first, a=0.5, b=0.5), level=1000, prices=market.data().lookup)

    base, after = basket.closes(market.data().lookup, first, second)

    assert base.level == pytest.approx(1000)
    assert after.level == pytest.approx(1000 * (0.5 * 2 + 0.5 * 0.8))
    assert after.weights == pytest.approx((1.0 / 1.4, 0.4 / 1.4))


def test_a_token_without_prices_keeps_its_last_one_and_counts_as_unpriced_after_three_days(market_of):
    calendar = days(6)
    market = market_of({"a": dict.fromkeys(calendar, 10.0), "b": {calendar[0]: 5.0}})
    basket = Basket.bought(rebalance(calendar[0], a=0.75, b=0.25), level=100, prices=market.data().lookup)

    closes = basket.closes(market.data().lookup, calendar[0], calendar[-1])

    assert [close.level for close in closes] == pytest.approx([100] * 6)
    assert [close.priced_weight for close in closes] == pytest.approx([1, 1, 1, 1, 0.75, 0.75])
    assert closes[-1].priced_on == (calendar[-1], calendar[0])


def test_a_rebalance_whose_level_was_not_published_buys_at_what_the_basket_before_was_worth(market_of):
    calendar = days(3)
    market = market_of({"a": dict(zip(calendar, (1.0, 2.0, 2.0), strict=True)), "b": dict.fromkeys(calendar, 7.0)})
    chain = [rebalance(calendar[0], level=50.0, a=1.0), rebalance(calendar[1], b=1.0)]

    basket = basket_at(chain, prices=market.data().lookup)

    assert basket.closes(market.data().lookup, calendar[2], calendar[2])[0].level == pytest.approx(100)


def test_a_holding_whose_prices_were_withdrawn_keeps_its_value_and_counts_as_unpriced(market_of):
    calendar = days(2)
    market = market_of({"a": dict(zip(calendar, (1.0, 2.0), strict=True))})
    basket = Basket.bought(rebalance(calendar[0], a=0.5, gone=0.5), level=10, prices=market.data().lookup)

    close = basket.closes(market.data().lookup, calendar[1], calendar[1])[0]

    assert close.level == pytest.approx(15)
    assert close.priced_weight == pytest.approx(2 / 3)


def test_prices_that_are_no_prices_are_ignored_and_a_repeated_day_is_refused(market_of):
    calendar = days(3)
    market = market_of({"a": dict(zip(calendar, (3.0, 0.0, float("nan")), strict=True))})

    assert market.data().lookup.last_priced("a", calendar[2]) == calendar[0]
    twice = market.prices.vstack(market.prices)
    with pytest.raises(ValueError, match="a has more than one price on 2024-03-04"):
        MarketData(prices=twice, candidates=market.candidates, market_state=market.bitcoin)
