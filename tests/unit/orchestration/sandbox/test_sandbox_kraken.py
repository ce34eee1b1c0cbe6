from typing import Any

import httpx
import pytest

from orchestration.sandbox.runner import RunningSandbox

DAY_SECONDS = 86_400
DAY = 86_400_000


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for('api.kraken.com')}/0/public/{path}", params=params)


def test_bitcoin_is_xbt_and_the_dollar_zusd(sandbox: RunningSandbox, http: httpx.Client):
    pairs = get(http, sandbox, "AssetPairs").json()["result"]
    assets = get(http, sandbox, "Assets").json()["result"]

    bitcoin = pairs["XXBTZUSD"]
    assert (bitcoin["base"], bitcoin["quote"]) == ("XXBT", "ZUSD")
    assert (bitcoin["altname"], bitcoin["wsname"]) == ("XBTUSD", "XBT/USD")
    assert assets["XXBT"]["altname"] == "XBT"
    assert "XETHZUSD" in pairs
    assert "BTCUSD" not in pairs


@pytest.mark.parametrize("since", [None, 0, 1_641_168_000])
def test_candles_reach_back_720_bars_whatever_since_says(
    sandbox: RunningSandbox, http: httpx.Client, since: int | None
):
    params = {} if since is None else {"since": since}

    result = get(http, sandbox, "OHLC", pair="XXBTZUSD", interval=1440, **params).json()["result"]

    bars = result["XXBTZUSD"]
    assert len(bars) == 720
    assert bars[-1][0] - bars[0][0] == 719 * DAY_SECONDS
    assert result["last"] == bars[-2][0]  # the newest bar is not committed
    for bar in bars:
        assert [type(value) for value in bar] == [int, *[str] * 6, int]
        opened, high, low, close, average = (float(value) for value in bar[1:6])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low <= average <= high


def test_bars_since_an_instant_begin_behind_it(sandbox: RunningSandbox, http: httpx.Client):
    since = 1_735_776_000

    bars = get(http, sandbox, "OHLC", pair="XBTUSD", interval=1440, since=since).json()["result"]["XXBTZUSD"]

    assert bars[0][0] == since + DAY_SECONDS


def test_ccxt_gives_bars_from_two_years_ago_for_a_question_about_three(sandbox: RunningSandbox, ask):
    asked = 1_641_168_000_000

    async def candles(exchange: Any) -> list:
        return await exchange.fetch_ohlcv("BTC/USD", "1d", asked, 100)

    page = ask("kraken", candles)

    assert len(page) == 100
    assert page[0][0] > asked + 365 * DAY


@pytest.mark.parametrize(
    ("path", "params", "error"),
    [
        ("OHLC", {"pair": "NOPEUSD", "interval": 1440}, "EQuery:Unknown asset pair"),
        ("OHLC", {"pair": "XXBTZUSD", "interval": 7}, "EGeneral:Invalid arguments:interval"),
        ("Depth", {"pair": "XXBTZUSD", "count": 501}, "EGeneral:Invalid arguments:count"),
        ("Ticker", {"pair": "XXBTZUSD,NOPEUSD"}, "EQuery:Unknown asset pair"),
    ],
)
def test_errors_come_under_status_200(sandbox: RunningSandbox, http: httpx.Client, path: str, params: dict, error: str):
    answer = get(http, sandbox, path, **params)

    assert (answer.status_code, answer.json()) == (200, {"error": [error]})


def test_ccxt_knows_the_markets_by_their_usual_names_without_the_list_of_assets(ask):
    async def symbols(exchange: Any) -> set[str]:
        exchange.has["fetchCurrencies"] = False
        return set(await exchange.load_markets())

    assert {"BTC/USD", "ETH/USD", "USDT/USD"} <= ask("kraken", symbols)
