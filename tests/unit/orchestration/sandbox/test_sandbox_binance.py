import re
from datetime import UTC, datetime, timedelta

import ccxt
import httpx
import pytest

from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox

HOST = "api.binance.com"
DAY = 86_400_000
NUMBER_TEXT = re.compile(r"^-?\d+(\.\d+)?$")


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for(HOST)}/api/v3/{path}", params=params)


def exchange_at(base_url: str) -> ccxt.binance:
    """The ccxt client with its URLs rewritten to the sandbox."""
    exchange = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    exchange.session.trust_env = False

    def rewrite(urls):
        if isinstance(urls, dict):
            return {name: rewrite(url) for name, url in urls.items()}
        return urls.replace("https://", f"{base_url}/")

    exchange.urls["api"] = rewrite(exchange.urls["api"])
    return exchange


def test_klines_have_twelve_columns_with_numbers_as_text(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "klines", symbol="BTCUSDT", interval="1d", limit=5).json()

    assert len(rows) == 5
    for row in rows:
        assert [type(value) for value in row] == [int, *[str] * 5, int, str, int, str, str, str]
        assert row[6] == row[0] + DAY - 1
        assert all(NUMBER_TEXT.match(row[column]) for column in (1, 2, 3, 4, 5, 7))
        opened, high, low, close = (float(row[column]) for column in (1, 2, 3, 4))
        assert low <= min(opened, close) <= max(opened, close) <= high


def test_the_last_kline_is_the_unfinished_day(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, "klines", symbol="ETHUSDT", interval="1d", limit=2).json()

    assert rows[-1][0] == int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)
    assert rows[-1][1] == rows[-2][4]
    assert float(rows[-1][5]) < 0.2 * float(rows[-2][5])


def test_a_candle_that_is_finished_never_changes_again(sandbox: RunningSandbox, http: httpx.Client):
    first = get(http, sandbox, "klines", symbol="BTCUSDT", interval="1d", limit=10).json()
    sandbox.clock.advance(timedelta(days=3))
    later = get(http, sandbox, "klines", symbol="BTCUSDT", interval="1d", limit=13).json()

    assert later[:9] == first[:9]
    assert later[9] != first[9]


def test_klines_from_a_start_come_oldest_first_and_within_the_limit(sandbox: RunningSandbox, http: httpx.Client):
    start = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp() * 1000)

    rows = get(http, sandbox, "klines", symbol="BTCUSDT", interval="1d", startTime=start, limit=3).json()
    bounded = get(
        http, sandbox, "klines", symbol="BTCUSDT", interval="1d", startTime=start, endTime=start + DAY, limit=1000
    ).json()

    assert [row[0] for row in rows] == [start, start + DAY, start + 2 * DAY]
    assert [row[0] for row in bounded] == [start, start + DAY]


def test_no_more_than_a_thousand_klines_come_at_once(sandbox: RunningSandbox, http: httpx.Client):
    assert len(get(http, sandbox, "klines", symbol="BTCUSDT", interval="1d", limit=5000).json()) == 1000


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"symbol": "NOPEUSDT", "interval": "1d"}, -1121),
        ({"interval": "1d"}, -1102),
        ({"symbol": "BTCUSDT", "interval": "fortnight"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1d", "limit": "many"}, -1100),
    ],
)
def test_wrong_requests_get_the_exchanges_codes(sandbox: RunningSandbox, http: httpx.Client, params: dict, code: int):
    answer = get(http, sandbox, "klines", **params)

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_tickers_are_text_and_one_can_be_asked_for(sandbox: RunningSandbox, http: httpx.Client):
    everything = get(http, sandbox, "ticker/24hr").json()
    one = get(http, sandbox, "ticker/24hr", symbol="BTCUSDT").json()

    assert one == next(row for row in everything if row["symbol"] == "BTCUSDT")
    assert all(isinstance(one[name], str) for name in ("lastPrice", "bidPrice", "askPrice", "quoteVolume"))
    assert float(one["bidPrice"]) < float(one["lastPrice"]) < float(one["askPrice"])
    assert one["closeTime"] == int(datetime(2025, 1, 6, 0, 30, tzinfo=UTC).timestamp() * 1000)
    assert get(http, sandbox, "ticker/24hr", symbol="NOPE").json()["code"] == -1121


def test_a_token_is_unknown_before_its_listing_and_breaks_after_its_death(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    listed = market.tokens.drop_nulls("binance_listed_date")
    late = (
        listed.filter(listed["binance_listed_date"] > market.settings.start)
        .sort("binance_listed_date")
        .row(0, named=True)
    )
    dead = listed.drop_nulls("death_date").row(0, named=True)

    def status_of(symbol: str, day) -> str | None:
        sandbox.clock.now = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        rows = get(http, sandbox, "exchangeInfo").json()["symbols"]
        return next((row["status"] for row in rows if row["symbol"] == symbol), None)

    assert status_of(f"{late['symbol']}USDT", late["binance_listed_date"] - timedelta(days=1)) is None
    assert status_of(f"{late['symbol']}USDT", late["binance_listed_date"]) == "TRADING"
    assert status_of(f"{dead['symbol']}USDT", dead["death_date"] + timedelta(days=1)) == "BREAK"


def test_ccxt_reads_markets_tickers_and_pages_through_candles(market: SimulatedMarket, sandbox: RunningSandbox):
    exchange = exchange_at(sandbox.base_url)

    markets = exchange.load_markets()
    tickers = exchange.fetch_tickers()
    candles: list = []
    since = exchange.parse8601("2022-01-03T00:00:00Z")
    while page := exchange.fetch_ohlcv("BTC/USDT", "1d", since, 500):
        candles += page
        since = page[-1][0] + DAY

    assert {"BTC/USDT", "ETH/USDT", "ETH/BTC", "WBTC/USDT"} <= set(markets)
    assert tickers["BTC/USDT"]["last"] > 0
    assert len(candles) == (datetime(2025, 1, 6) - datetime(2022, 1, 3)).days + 1  # noqa: DTZ001 - a difference of days
    closes = market.daily.filter(coin_id="bitcoin")["price_usd"]
    assert candles[0][4] == pytest.approx(closes[0], rel=0.01)
    assert candles[-2][4] == pytest.approx(closes[len(candles) - 2], rel=0.01)


def test_ccxt_calls_an_unknown_symbol_a_bad_symbol(sandbox: RunningSandbox):
    exchange = exchange_at(sandbox.base_url)
    exchange.load_markets()

    with pytest.raises(ccxt.BadSymbol):
        exchange.public_get_klines({"symbol": "NOPE", "interval": "1d"})
