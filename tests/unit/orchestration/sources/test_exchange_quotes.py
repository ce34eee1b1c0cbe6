"""Market lists, tickers and order books out of ccxt's tables."""

from datetime import UTC, date, datetime

import pytest

from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.markets import Market, parse_markets
from orchestration.sources.exchanges.quotes import parse_tickers, read_order_book, spare_bad_tickers
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
STAMP = int(NOW.timestamp() * 1000)
BTC = Market("BTC/USDT", "BTCUSDT", "BTC", "USDT", is_active=True)
ETH = Market("ETH/USDT", "ETHUSDT", "ETH", "USDT", is_active=True)


def entry(base: str, quote: str, **more) -> dict:
    return {"id": base + quote, "symbol": f"{base}/{quote}", "base": base, "quote": quote, "spot": True} | more


def test_spot_markets_in_dollars_are_picked_dead_ones_included():
    table = {
        "BTC/USDT": entry("BTC", "USDT", active=True),
        "OLD/USDT": entry("OLD", "USDT", active=False),
        "ETH/BTC": entry("ETH", "BTC", active=True),
        "BTC/USDT:USDT": entry("BTC", "USDT", spot=False, symbol="BTC/USDT:USDT"),
    }

    markets = parse_markets(table, venue=VENUES["okx"])

    assert [(each.market_id, each.is_active) for each in markets] == [("BTC/USDT", True), ("OLD/USDT", False)]


@pytest.mark.parametrize("table", [{}, None, "<html>", []])
def test_an_empty_table_of_markets_is_no_answer(table):
    with pytest.raises(UnexpectedBodyError, match="table of markets is empty"):
        parse_markets(table, venue=VENUES["okx"])


def test_tickers_of_the_markets_are_read_and_missing_ones_reported():
    tickers = {
        "BTC/USDT": {"timestamp": STAMP, "last": 10.0, "bid": 0, "ask": 10.1, "baseVolume": 5, "quoteVolume": 50},
        "XRP/USDT": {"timestamp": STAMP, "last": 1.0},
    }
    old = Market("OLD/USDT", "OLDUSDT", "OLD", "USDT", is_active=False)

    fetched = parse_tickers(tickers, venue="binance", markets=[BTC, ETH, old], now=NOW)

    row = fetched.frame.row(0, named=True)
    assert (row["market_date"], row["bid_quote"], row["ask_quote"]) == (date(2025, 1, 5), None, 10.1)
    assert [(each.reason, each.payload) for each in fetched.rejected] == [
        ("active market has no readable ticker", '{"market_id": "ETH/USDT"}')
    ]


def test_a_ticker_without_a_time_is_of_the_instant_of_asking():
    fetched = parse_tickers({"BTC/USDT": {"timestamp": None, "last": 10.0}}, venue="kraken", markets=[BTC], now=NOW)

    row = fetched.frame.row(0, named=True)
    assert row["observed_at"] == NOW
    assert (row["volume_base"], row["volume_quote"], row["bid_quote"]) == (None, None, None)


def test_a_ticker_of_the_future_is_refused():
    ahead = {"timestamp": STAMP + 3_600_000, "last": 10.0}

    fetched = parse_tickers({"BTC/USDT": ahead}, venue="okx", markets=[BTC], now=NOW)

    assert fetched.frame.is_empty()
    assert "lies in the future" in fetched.rejected[0].reason


def test_one_ticker_that_ccxt_stumbles_over_does_not_cost_the_others():
    class Stumbling:
        def parse_ticker(self, ticker, market=None):
            return {"symbol": "BTC/USDT", "last": 1.0 / ticker["price"]}

    ccxt = Stumbling()
    spare_bad_tickers(ccxt)
    spare_bad_tickers(ccxt)

    assert ccxt.parse_ticker({"price": 0})["symbol"] is None
    assert ccxt.parse_ticker({"price": 2})["last"] == 0.5


def test_depth_is_what_rests_within_two_percent_of_the_middle():
    book = {
        "bids": [[99.0, 1.0], [98.1, 2.0], [98.0, 4.0], [97.9, 100.0]],
        "asks": [[101.0, 3.0], [102.0, 5.0], [102.1, 100.0]],
        "timestamp": STAMP,
    }

    row = read_order_book(book, market=BTC, now=NOW)

    assert row["mid_quote"] == 100.0
    assert row["spread"] == pytest.approx(0.02)
    assert row["bid_depth_2pct_quote"] == pytest.approx(99.0 + 2 * 98.1 + 4 * 98.0)
    assert row["ask_depth_2pct_quote"] == pytest.approx(3 * 101.0 + 5 * 102.0)
    assert row["is_depth_complete"] is True
    assert row["market_date"] == date(2025, 1, 5)


@pytest.mark.parametrize("short", ["bids", "asks"])
def test_depth_of_a_book_that_ends_within_two_percent_is_a_lower_bound(short):
    book = {"bids": [[99.0, 1.0], [90.0, 1.0]], "asks": [[101.0, 1.0], [110.0, 1.0]]}
    book[short] = book[short][:1]

    assert read_order_book(book, market=BTC, now=NOW)["is_depth_complete"] is False


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([], [[101.0, 1.0]], "the book has no bids"),
        ([[99.0, 1.0]], [[0.0, 1.0]], "asks hold a level without a price above zero"),
        ([[99.0, -1.0]], [[101.0, 1.0]], "bids hold a level"),
        ([[99.0, None]], [[101.0, 1.0]], "bids hold a level"),
        ([["cheap", 1.0]], [[101.0, 1.0]], "bids are no pairs"),
    ],
)
def test_a_malformed_book_is_refused(bids, asks, reason):
    with pytest.raises(UnreadableValueError, match=reason):
        read_order_book({"bids": bids, "asks": asks}, market=BTC, now=NOW)


@pytest.mark.parametrize("book", [{"bids": [], "asks": []}, {}, None, "<html>"])
def test_an_empty_book_is_no_answer(book):
    with pytest.raises(UnexpectedBodyError, match="order book is empty"):
        read_order_book(book, market=BTC, now=NOW)
