"""A venue's rules: rounding in ccxt's three modes, minimums, and what a table of markets may look like."""

from decimal import Decimal

import pytest

from models_ml.orders.errors import MarketRulesError
from models_ml.orders.market_rules import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    UNSTATED_FEE,
    MarketRules,
    read_market_rules,
)

# Entries as ccxt 4.5 gives them for Binance and Kraken, cut to what is read and a little more.
SOL = {
    "id": "SOLUSDT",
    "symbol": "SOL/USDT",
    "base": "SOL",
    "quote": "USDT",
    "spot": True,
    "active": True,
    "taker": 0.001,
    "maker": 0.001,
    "feeSide": "get",
    "precision": {"amount": 0.001, "price": 0.01},
    "limits": {"amount": {"min": 0.001, "max": 90000.0}, "cost": {"min": 5.0, "max": 9000000.0}},
}
ETH = {
    "symbol": "ETH/USD",
    "base": "ETH",
    "quote": "USD",
    "spot": True,
    "active": None,
    "precision": {"amount": 1e-8},
    "limits": {"amount": {"min": 0.002, "max": None}, "cost": {"min": None}},
}


def table(*entries):
    return {entry["symbol"]: entry for entry in entries}


@pytest.mark.parametrize(
    ("mode", "precision", "amount", "expected"),
    [
        (TICK_SIZE, 0.001, "1.23456", "1.234"),
        (TICK_SIZE, 0.05, "1.23", "1.2"),
        (TICK_SIZE, 100.0, "12345.6", "12300"),
        (TICK_SIZE, 1e-8, "0.000000019", "0.00000001"),
        (DECIMAL_PLACES, 2, "1.239", "1.23"),
        (DECIMAL_PLACES, 0, "1.9", "1"),
        (SIGNIFICANT_DIGITS, 3, "1.23987", "1.23"),
        (SIGNIFICANT_DIGITS, 3, "98765", "98700"),
        (TICK_SIZE, 0.001, "0.0009", "0"),
        (TICK_SIZE, 0.001, "-1", "0"),
    ],
)
def test_amounts_are_rounded_down_to_what_the_market_takes(mode, precision, amount, expected):
    rules = MarketRules(market_id="A/USDT", base="A", quote="USDT", precision=precision, precision_mode=mode)

    assert rules.round_down(Decimal(amount)) == Decimal(expected)


@pytest.mark.parametrize(
    ("mode", "precision", "amount", "expected"),
    [(TICK_SIZE, 0.05, "7", "0.05"), (DECIMAL_PLACES, 3, "7", "0.001"), (SIGNIFICANT_DIGITS, 3, "1234", "10")],
)
def test_the_step_is_the_distance_of_two_amounts(mode, precision, amount, expected):
    rules = MarketRules(market_id="A/USDT", base="A", quote="USDT", precision=precision, precision_mode=mode)

    assert rules.step(Decimal(amount)) == Decimal(expected)


def test_rules_are_read_from_the_table_of_ccxt():
    (rules,) = read_market_rules(table(SOL, ETH), quote="USDT").values()

    assert rules == MarketRules(
        market_id="SOL/USDT",
        base="SOL",
        quote="USDT",
        precision=0.001,
        smallest_amount=0.001,
        largest_amount=90000.0,
        smallest_notional=5.0,
        is_fee_in_base=True,
    )


def test_what_a_market_does_not_state_stays_unknown_and_a_fee_is_taken_high():
    (rules,) = read_market_rules(table(SOL, ETH), quote="USD").values()

    assert rules.is_active
    assert (rules.smallest_notional, rules.largest_amount) == (None, None)
    assert (rules.taker_fee, rules.maker_fee) == (UNSTATED_FEE, UNSTATED_FEE)
    assert not rules.is_fee_in_base


def test_derivatives_and_other_quotes_are_left_out_and_halted_markets_kept():
    swap = {**SOL, "symbol": "SOL/USDT:USDT", "spot": False}
    halted = {**SOL, "symbol": "LUNA/USDT", "base": "LUNA", "active": False}

    found = read_market_rules(table(SOL, ETH, swap, halted), quote="USDT")

    assert {name: rules.is_active for name, rules in found.items()} == {"LUNA/USDT": False, "SOL/USDT": True}


def test_a_step_of_zero_is_none():
    (rules,) = read_market_rules(table({**SOL, "precision": {"amount": 0}}), quote="USDT").values()

    assert rules.precision is None
    with pytest.raises(MarketRulesError, match="SOL/USDT: the venue states no step of amounts"):
        rules.round_down(Decimal(1))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([], "no object of markets by name"),
        ({"SOL/USDT": "SOLUSDT"}, "no object of markets by name"),
        (table({**SOL, "taker": "cheap"}), "SOL/USDT: taker is 'cheap', no number"),
    ],
)
def test_what_is_no_table_of_markets_is_refused(broken, message):
    with pytest.raises(MarketRulesError, match=message):
        read_market_rules(broken, quote="USDT")
