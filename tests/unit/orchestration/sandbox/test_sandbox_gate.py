import httpx
import pytest

from orchestration.sandbox.runner import RunningSandbox

DAY_SECONDS = 86_400
START = 1_672_531_200


def candles(http: httpx.Client, sandbox: RunningSandbox, **params) -> httpx.Response:
    path = f"{sandbox.url_for('api.gateio.ws')}/api/v4/spot/candlesticks"
    return http.get(path, params={"currency_pair": "BTC_USDT", "interval": "1d", **params})


def test_candles_have_quote_volume_close_high_low_open_and_whether_they_are_closed(
    sandbox: RunningSandbox, http: httpx.Client
):
    rows = candles(http, sandbox, limit=3).json()

    assert [row[7] for row in rows] == ["true", "true", "false"]
    for row in rows:
        turnover, close, high, low, opened, volume = (float(value) for value in row[1:7])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low * 0.999 <= turnover / volume <= high * 1.001


def test_a_range_comes_oldest_first_with_both_its_ends(sandbox: RunningSandbox, http: httpx.Client):
    rows = candles(http, sandbox, **{"from": START, "to": START + 2 * DAY_SECONDS}).json()

    assert [int(row[0]) for row in rows] == [START, START + DAY_SECONDS, START + 2 * DAY_SECONDS]


@pytest.mark.parametrize(
    "params",
    [
        {"from": START - 400 * DAY_SECONDS, "to": START + 700 * DAY_SECONDS},
        {"from": START - 363 * DAY_SECONDS},
        {"from": START, "limit": 10},
        {"limit": 1001},
        {"interval": "1y"},
    ],
    ids=["too broad", "too broad until now", "limit beside a range", "limit too large", "interval"],
)
def test_what_the_exchange_does_not_take_is_refused(sandbox: RunningSandbox, http: httpx.Client, params: dict):
    answer = candles(http, sandbox, **params)

    assert (answer.status_code, answer.json()["label"]) == (400, "INVALID_PARAM_VALUE")


def test_a_pair_whose_trading_ended_stays_in_the_list(sandbox: RunningSandbox, http: httpx.Client):
    pairs = http.get(f"{sandbox.url_for('api.gateio.ws')}/api/v4/spot/currency_pairs").json()

    ended = [row for row in pairs if row["trade_status"] == "untradable"]
    assert ended
    assert all(row["delisting_time"] > row["buy_start"] for row in ended)
    assert candles(http, sandbox, currency_pair=ended[0]["id"]).json()


def test_a_book_shows_ten_levels_unless_asked_for_more(sandbox: RunningSandbox, http: httpx.Client):
    path = f"{sandbox.url_for('api.gateio.ws')}/api/v4/spot/order_book"

    def levels(**params) -> int:
        return len(http.get(path, params={"currency_pair": "BTC_USDT", **params}).json()["bids"])

    assert (levels(), levels(limit=1000)) == (10, 1000)
    assert http.get(path, params={"currency_pair": "BTC_USDT", "limit": 1001}).status_code == 400


def test_coin_margined_contracts_are_an_empty_list(sandbox: RunningSandbox, http: httpx.Client):
    assert http.get(f"{sandbox.url_for('api.gateio.ws')}/api/v4/futures/btc/contracts").json() == []
