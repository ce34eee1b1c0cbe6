"""Which market stands for a token: one venue each, kept as long as it lives, within the budget."""

from datetime import date, timedelta

import pytest

from orchestration.lib.loads.exchange_plan import DEAD_AFTER, CandleWish, plan_books, plan_candles, plan_perpetuals
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.perpetuals import Perpetual

LAST = date(2025, 1, 5)
LONG_AGO = LAST - DEAD_AFTER - timedelta(days=1)


def market(symbol: str, quote: str = "USDT", *, is_active: bool = True) -> Market:
    return Market(f"{symbol}/{quote}", f"{symbol}{quote}", symbol, quote, is_active)


def planned(listed, *, landed=None, universe=(), turnover=None, most=100, fills_history=False) -> dict[str, list[str]]:
    wish = CandleWish(
        listed=listed,
        landed=landed or {},
        universe=universe,
        turnover=turnover or {},
        most=most,
        last=LAST,
        fills_history=fills_history,
    )
    return {venue: [each.market_id for each in markets] for venue, markets in plan_candles(wish).items()}


def test_every_token_is_asked_at_the_first_venue_that_lists_it():
    listed = {
        "binance": [market("BTC"), market("ETH")],
        "okx": [market("BTC"), market("SOL")],
        "kraken": [market("SOL")],
    }

    assert planned(listed) == {"binance": ["BTC/USDT", "ETH/USDT"], "okx": ["SOL/USDT"], "kraken": []}


@pytest.mark.parametrize(("venue", "quote"), [("okx", "USDT"), ("kraken", "USD"), ("coinbase", "USD")])
def test_a_venue_is_asked_in_the_quote_that_is_traded_most_there(venue, quote):
    assert planned({venue: [market("BTC", "USD"), market("BTC", "USDT")]}) == {venue: [f"BTC/{quote}"]}


def test_the_universe_comes_first_then_turnover_up_to_the_budget():
    listed = {"gate": [market(name) for name in ("BIG", "SMALL", "MIDDLE", "LISTED")]}
    turnover = {"BIG": 30.0, "MIDDLE": 20.0, "SMALL": 10.0}

    plan = planned(listed, universe=["UNLISTED", "LISTED"], turnover=turnover, most=3)

    assert plan == {"gate": ["LISTED/USDT", "BIG/USDT", "MIDDLE/USDT"]}


def test_a_token_keeps_its_venue_although_a_better_one_lists_it_now():
    listed = {"binance": [market("SOL")], "okx": [market("SOL")]}

    plan = planned(listed, landed={"okx": {"SOL/USDT": LAST}}, universe=["SOL"])

    assert plan == {"binance": [], "okx": ["SOL/USDT"]}


def test_a_token_that_left_the_universe_stays_and_keeps_no_newcomer_out():
    listed = {"okx": [market("OLD"), market("NEW"), market("OTHER")]}

    plan = planned(listed, landed={"okx": {"OLD/USDT": LAST}}, universe=["NEW"], turnover={"OTHER": 9.0}, most=1)

    assert plan == {"okx": ["NEW/USDT", "OLD/USDT"]}


@pytest.mark.parametrize(
    ("is_active", "newest", "venue"),
    [(True, LONG_AGO, "okx"), (False, LAST - DEAD_AFTER, "okx"), (False, LONG_AGO, "gate")],
)
def test_a_token_moves_when_its_market_neither_trades_nor_had_a_candle_for_a_month(is_active, newest, venue):
    listed = {"okx": [market("SOL", is_active=is_active)], "gate": [market("SOL")]}

    plan = planned(listed, landed={"okx": {"SOL/USDT": newest}}, universe=["SOL"])

    assert plan[venue] == ["SOL/USDT"]
    assert sum(map(len, plan.values())) == 1


def test_a_token_that_moved_stays_where_its_newest_candle_is():
    listed = {"okx": [market("SOL")], "gate": [market("SOL")]}

    plan = planned(listed, landed={"okx": {"SOL/USDT": LONG_AGO}, "gate": {"SOL/USDT": LAST}})

    assert plan == {"okx": [], "gate": ["SOL/USDT"]}


def test_a_dead_token_is_not_asked_any_more():
    listed = {"binance": [market("LUNA", is_active=False)]}

    assert planned(listed, landed={"binance": {"LUNA/USDT": LONG_AGO}}, fills_history=True) == {"binance": []}


def test_the_past_of_dead_markets_is_read_once_while_history_is_filled():
    listed = {"binance": [market("LUNA", is_active=False)], "gate": [market("LUNA", is_active=False)]}

    assert planned(listed, fills_history=True) == {"binance": ["LUNA/USDT"], "gate": []}
    assert planned(listed) == {"binance": [], "gate": []}


def test_a_market_that_trades_goes_before_one_that_is_dead():
    listed = {"binance": [market("SOL", is_active=False)], "gate": [market("SOL")]}

    assert planned(listed, fills_history=True) == {"binance": [], "gate": ["SOL/USDT"]}


def test_tokens_of_a_venue_that_is_down_wait_and_new_ones_take_the_next_venue():
    listed = {"gate": [market("OLD"), market("NEW")]}

    plan = planned(listed, landed={"okx": {"OLD/USDT": LAST}}, universe=["OLD", "NEW"])

    assert plan == {"gate": ["NEW/USDT"]}


def test_an_order_book_is_read_where_the_token_trades_most():
    listed = {"binance": [market("BTC"), market("SOL")], "okx": [market("BTC"), market("ETH")]}
    turnover = {"binance": {"BTC/USDT": 5.0, "SOL/USDT": 1.0}, "okx": {"BTC/USDT": 9.0, "ETH/USDT": 3.0}}

    plan = plan_books(listed, turnover, most=2)

    assert {venue: [each.market_id for each in markets] for venue, markets in plan.items()} == {
        "binance": [],
        "okx": ["BTC/USDT", "ETH/USDT"],
    }


def test_a_book_whose_venue_is_down_is_not_replaced_by_a_thinner_one():
    turnover = {"binance": {"BTC/USDT": 9.0}, "okx": {"BTC/USDT": 5.0}}

    assert plan_books({"okx": [market("BTC")]}, turnover, most=5) == {"okx": []}


def test_a_market_that_does_not_trade_has_no_book():
    listed = {"binance": [market("BTC", is_active=False)], "okx": [market("BTC")]}

    plan = plan_books(listed, {"binance": {"BTC/USDT": 9.0}, "okx": {"BTC/USDT": 5.0}}, most=5)

    assert [each.market_id for each in plan["okx"]] == ["BTC/USDT"]


def perpetual(symbol: str) -> Perpetual:
    return Perpetual(f"{symbol}/USDT:USDT", symbol, symbol, 1.0)


def followed(listed, *, landed=None, tokens=(), most=10, whole=None) -> dict[str, list[str]]:
    plan = plan_perpetuals(
        {venue: [perpetual(name) for name in names] for venue, names in listed.items()},
        landed or {},
        whole=listed if whole is None else whole,
        tokens=tokens,
        most=most,
        last=LAST,
    )
    return {venue: [each.symbol for each in found] for venue, found in plan.items()}


def test_the_largest_tokens_are_followed_at_the_first_venue_with_a_perpetual():
    listed = {"binance": ["BTC", "ETH"], "okx": ["BTC", "SOL"], "gate": ["DOGE"]}

    plan = followed(listed, tokens=["BTC", "SOL", "NONE", "DOGE", "ETH"], most=3)

    assert plan == {"binance": ["BTC"], "okx": ["SOL"], "gate": ["DOGE"]}


def test_followed_perpetuals_stay_and_ended_ones_make_room():
    listed = {"binance": ["OLD", "NEW"]}
    landed = {"binance": {"OLD/USDT:USDT": LAST, "ENDED/USDT:USDT": LAST}}

    assert followed(listed, landed=landed, tokens=["NEW"], most=2) == {"binance": ["OLD", "NEW"]}
    assert followed(listed, landed=landed, tokens=["NEW"], most=1) == {"binance": ["OLD"]}


def test_a_newcomer_among_the_largest_is_followed_although_the_places_are_taken():
    names = ["A", "B", "C", "D"]
    landed = {"binance": {f"{name}/USDT:USDT": LAST for name in names}}
    listed = {"binance": [*names, "LARGE", "SMALL"]}

    plan = followed(listed, landed=landed, tokens=["A", "LARGE", "B", "SMALL", "C", "D"], most=4)

    assert plan == {"binance": [*names, "LARGE"]}


def test_perpetuals_of_a_venue_that_is_down_keep_their_places():
    landed = {"binance": {"1000PEPE/USDT:USDT": LAST}}

    assert followed({"okx": ["PEPE", "SOL"]}, landed=landed, tokens=["PEPE", "SOL"], most=2) == {"okx": ["SOL"]}


def test_no_token_goes_past_a_venue_whose_list_is_damaged():
    listed = {"binance": ["ETH"], "okx": ["BTC"]}

    assert followed(listed, tokens=["BTC", "ETH"], whole=["okx"]) == {"binance": ["ETH"], "okx": []}
