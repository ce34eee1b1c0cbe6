import httpx
import pytest

from orchestration.sandbox.exchange_books import liquidity
from orchestration.sandbox.exchange_listings import KUCOIN
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket

DAY_SECONDS = 86_400


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, host: str = "api.kucoin.com", **params) -> dict:
    return http.get(f"{sandbox.url_for(host)}/api/{path}", params=params).json()


def test_candles_are_texts_in_the_order_open_close_high_low_newest_first(sandbox: RunningSandbox, http: httpx.Client):
    answer = get(http, sandbox, "v1/market/candles", symbol="BTC-USDT", type="1day")

    assert answer["code"] == "200000"
    assert len(answer["data"]) == 100
    times = [int(row[0]) for row in answer["data"]]
    assert times == sorted(times, reverse=True)
    for row in answer["data"]:
        opened, close, high, low, volume, turnover = (float(value) for value in row[1:])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low * 0.999 <= turnover / volume <= high * 1.001


def test_the_end_of_a_range_is_not_included(sandbox: RunningSandbox, http: httpx.Client):
    start = 1_672_531_200

    rows = get(
        http,
        sandbox,
        "v1/market/candles",
        symbol="BTC-USDT",
        type="1day",
        startAt=start,
        endAt=start + 3 * DAY_SECONDS,
    )["data"]

    assert [int(row[0]) for row in rows] == [start + 2 * DAY_SECONDS, start + DAY_SECONDS, start]


def test_the_keyless_book_ends_before_the_depth_of_a_liquid_market_does(sandbox: RunningSandbox, http: httpx.Client):
    markets = ExchangeMarkets(ServedMarket(sandbox.app.market, sandbox.clock), KUCOIN)
    state = liquidity(markets, markets.find("BTC"))

    book = get(http, sandbox, "v1/market/orderbook/level2_100", symbol="BTC-USDT")["data"]

    assert len(book["bids"]) == 100
    assert sum(float(price) * float(amount) for price, amount in book["bids"]) < 0.2 * state.bid_depth
    assert get(http, sandbox, "v1/market/orderbook/level2_500", symbol="BTC-USDT")["code"] == "404000"


@pytest.mark.parametrize(
    "params", [{"symbol": "NOPE-USDT", "type": "1day"}, {"symbol": "BTC-USDT", "type": "1fortnight"}]
)
def test_wrong_requests_get_code_400100(sandbox: RunningSandbox, http: httpx.Client, params: dict):
    assert get(http, sandbox, "v1/market/candles", **params)["code"] == "400100"


def test_futures_call_bitcoin_xbt(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "v1/contracts/active", host="api-futures.kucoin.com")["data"]

    bitcoin = next(row for row in rows if row["symbol"] == "XBTUSDTM")
    assert (bitcoin["baseCurrency"], bitcoin["settleCurrency"]) == ("XBT", "USDT")
    assert not any(row["baseCurrency"] == "BTC" for row in rows)
