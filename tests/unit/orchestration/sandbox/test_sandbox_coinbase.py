from datetime import UTC, datetime, timedelta

import httpx
import pytest

from orchestration.sandbox.exchange_listings import COINBASE_EXCHANGE
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for('api.exchange.coinbase.com')}/{path}", params=params or None)


def test_candles_are_numbers_in_the_order_time_low_high_open_close_volume(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "products/BTC-USD/candles", granularity=86400).json()

    assert len(rows) == 300
    assert rows[0][0] == datetime(2025, 1, 6, tzinfo=UTC).timestamp()
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    for _, low, high, opened, close, volume in rows:
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert volume > 0


def test_a_range_of_more_than_300_candles_is_refused(sandbox: RunningSandbox, http: httpx.Client):
    def ask(days: int) -> httpx.Response:
        start = datetime(2023, 1, 1, tzinfo=UTC)
        bounds = {"start": start.isoformat(), "end": (start + timedelta(days=days)).isoformat()}
        return get(http, sandbox, "products/BTC-USD/candles", granularity=86400, **bounds)

    assert len(ask(299).json()) == 300
    assert ask(301).status_code == 400
    assert "exceeds 300" in ask(301).json()["message"]


def test_a_start_without_an_end_is_ignored(sandbox: RunningSandbox, http: httpx.Client):
    newest = get(http, sandbox, "products/BTC-USD/candles", granularity=86400).json()

    assert get(http, sandbox, "products/BTC-USD/candles", granularity=86400, start="2023-01-01").json() == newest


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("products/NOPE-USD/candles?granularity=86400", 404, "NotFound"),
        ("products/BTC-USD/candles?granularity=7", 400, "Unsupported granularity"),
        ("products/BTC-EUR/ticker", 404, "NotFound"),
    ],
)
def test_wrong_requests_get_a_message(
    sandbox: RunningSandbox, http: httpx.Client, path: str, status: int, message: str
):
    answer = get(http, sandbox, path)

    assert (answer.status_code, answer.json()) == (status, {"message": message})


def test_a_delisted_product_stays_in_the_list_with_its_candles(sandbox: RunningSandbox, http: httpx.Client):
    markets = ExchangeMarkets(ServedMarket(sandbox.app.market, sandbox.clock), COINBASE_EXCHANGE)
    sandbox.clock.now = datetime(2025, 7, 1, tzinfo=UTC)
    ended = next(each for each in markets.visible() if not markets.is_trading(each))

    products = {row["id"]: row for row in get(http, sandbox, "products").json()}
    candles = get(http, sandbox, f"products/{ended.base}-USD/candles", granularity=86400).json()

    assert products[f"{ended.base}-USD"]["status"] == "delisted"
    assert products[f"{ended.base}-USD"]["trading_disabled"]
    assert candles[0][0] * 1000 == markets.served.milliseconds_at(ended.last_day)


def test_volume_and_spread_are_in_the_ticker_of_one_product(sandbox: RunningSandbox, http: httpx.Client):
    ticker = get(http, sandbox, "products/BTC-USD/ticker").json()
    stats = get(http, sandbox, "products/BTC-USD/stats").json()

    assert float(ticker["bid"]) < float(ticker["price"]) < float(ticker["ask"])
    assert ticker["volume"] == stats["volume"]
    assert float(stats["low"]) <= float(stats["last"]) <= float(stats["high"])


def test_the_first_level_of_the_book_is_its_best(sandbox: RunningSandbox, http: httpx.Client):
    best = get(http, sandbox, "products/BTC-USD/book").json()
    whole = get(http, sandbox, "products/BTC-USD/book", level=2).json()

    assert best["bids"] == whole["bids"][:1]
    assert len(whole["bids"]) > 1000
