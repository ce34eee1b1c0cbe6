"""What a venue says of its markets now: best prices from tickers, and the file it is kept in."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from models_ml.orders.market_rules import DECIMAL_PLACES, TICK_SIZE
from models_ml.orders.matching import Quote
from orchestration.lib.errors import TidemarkError
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.order_rules import VenueState, read_quotes

STATE = VenueState(
    venue="okx",
    asked_at=datetime(2025, 1, 6, 0, 45, tzinfo=UTC),
    precision_mode=DECIMAL_PLACES,
    markets={"SOL/USDT": {"symbol": "SOL/USDT", "base": "SOL", "quote": "USDT", "spot": True}},
    quotes={"SOL/USDT": Quote(Decimal("140.10"), Decimal("140.2"))},
)


def test_prices_are_bid_and_ask_or_the_last_price_where_there_is_no_book():
    quotes = read_quotes(
        {
            "SOL/USDT": {"bid": 140.1, "ask": 140.2, "last": 139.0},
            "BTC/USD": {"bid": None, "ask": None, "last": 61000.5},
            "ETH/USDT": {"bid": 3000.0, "ask": None, "last": 2999.0},
            "CROSSED/USDT": {"bid": 2.0, "ask": 1.0, "last": 1.5},
            "DEAD/USDT": {"bid": 0.0, "ask": 0.0, "last": None},
            "ODD/USDT": {"bid": "NaN", "ask": "many", "last": -1},
        }
    )

    assert quotes == {
        "SOL/USDT": Quote(Decimal("140.1"), Decimal("140.2")),
        "BTC/USD": Quote(Decimal("61000.5"), Decimal("61000.5")),
        "ETH/USDT": Quote(Decimal("2999.0"), Decimal("2999.0")),
        "CROSSED/USDT": Quote(Decimal("1.5"), Decimal("1.5")),
    }


@pytest.mark.parametrize("answer", [None, {}, [], "<html>"])
def test_what_is_no_table_of_tickers_is_refused(answer):
    with pytest.raises(UnexpectedBodyError, match="the table of tickers is empty or a"):
        read_quotes(answer)


def test_a_saved_state_is_read_as_it_was(tmp_path):
    path = tmp_path / "markets.json"

    STATE.save(path)

    assert VenueState.load(path, venue="okx") == STATE


def test_a_bare_table_of_ccxt_has_steps_and_no_prices(tmp_path):
    path = tmp_path / "load_markets.json"
    path.write_text(json.dumps(STATE.markets))

    state = VenueState.load(path, venue="okx")

    assert (state.markets, state.quotes, state.asked_at, state.precision_mode) == (STATE.markets, {}, None, TICK_SIZE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no markets"),
        ("{}", "holds no markets"),
        ('{"precision_mode": 4, "venue": "kraken"}', "is of kraken, but VENUE=okx"),
        ('{"precision_mode": 4, "venue": "okx"}', "is damaged"),
        ('{"precision_mode": 4, "venue": "okx", "markets": {}, "quotes": {"A/USDT": ["x", "1"]}}', "is damaged"),
        ('{"precision_mode": 4, "venue": "okx", "markets": {}, "quotes": [1]}', "is damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_remedy(tmp_path, text, message):
    path = tmp_path / "markets.json"
    path.write_text(text)

    with pytest.raises(TidemarkError, match=message):
        VenueState.load(path, venue="okx")
