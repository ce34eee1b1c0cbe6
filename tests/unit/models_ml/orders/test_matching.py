"""Which market trades a token: by ticker, and by price where letters deceive."""

from decimal import Decimal

from models_ml.orders.market_rules import MarketRules
from models_ml.orders.matching import Quote, Token, match_markets


def venue(**prices):
    """Markets against USDT with their price; a price of None is a market without a quote."""
    rules = {
        f"{base}/USDT": MarketRules(market_id=f"{base}/USDT", base=base, quote="USDT", is_active=price != "halted")
        for base, price in prices.items()
    }
    quotes = {
        f"{base}/USDT": Quote(Decimal(price), Decimal(price))
        for base, price in prices.items()
        if price not in (None, "halted")
    }
    return rules, quotes


def test_a_token_has_the_market_with_its_ticker_whatever_its_case():
    found = match_markets([Token("solana", "sol", 141.0)], *venue(SOL="140", ETH="3000"))

    assert found["solana"].rules.market_id == "SOL/USDT"
    assert found["solana"].quote.mid == 140
    assert found["solana"].problem is None


def test_a_namesake_is_told_by_its_price():
    found = match_markets([Token("real", "abc", 2.0), Token("namesake", "abc", 0.004)], *venue(ABC="2.1"))

    assert found["real"].rules.market_id == "ABC/USDT"
    assert found["namesake"].rules is None
    assert found["namesake"].problem == (
        "ABC/USDT trades another token, by its price (ABC/USDT 2.1; the close is 0.004 USD)"
    )


def test_of_two_near_prices_the_nearer_gets_the_market():
    found = match_markets([Token("near", "abc", 2.0), Token("nearer", "abc", 2.05)], *venue(ABC="2.1"))

    assert found["nearer"].problem is None
    assert found["near"].rules is None


def test_a_token_that_trades_in_lots_is_found_with_its_multiple():
    tokens = [Token("sats", "SATS", 0.0000002), Token("baby-doge", "BABYDOGE", 2e-9), Token("1inch", "1INCH", 0.3)]

    found = match_markets(tokens, *venue(**{"1000SATS": "0.00021", "1MBABYDOGE": "0.0021", "1INCH": "0.31"}))

    assert {name: match.multiple for name, match in found.items()} == {
        "sats": 1000,
        "baby-doge": 1_000_000,
        "1inch": 1,
    }


def test_a_market_that_is_halted_or_quotes_nothing_says_so_and_a_missing_one_too():
    tokens = [Token("luna", "LUNA", 1.0), Token("mute", "MUTE", 1.0), Token("gone", "GONE", 1.0)]

    found = match_markets(tokens, *venue(LUNA="halted", MUTE=None))

    assert {name: match.problem for name, match in found.items()} == {
        "luna": "the venue has halted LUNA/USDT",
        "mute": "the venue quotes no price for MUTE/USDT",
        "gone": "the venue has no market for GONE in this quote",
    }


def test_a_dead_lot_does_not_take_the_place_of_the_market_that_trades():
    found = match_markets([Token("bitcoin", "BTC", 60_000.0)], *venue(**{"1000BTC": "halted", "BTC": "61000"}))

    assert found["bitcoin"].rules.market_id == "BTC/USDT"
