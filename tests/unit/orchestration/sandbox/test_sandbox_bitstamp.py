import httpx
import pytest

from orchestration.sandbox.runner import RunningSandbox

DAY_SECONDS = 86_400
START = 1_672_531_200


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> httpx.Response:
    return http.get(f"{sandbox.url_for('www.bitstamp.net')}/api/v2/{path}", params=params)


def test_candles_are_objects_of_texts_oldest_first(sandbox: RunningSandbox, http: httpx.Client):
    data = get(http, sandbox, "ohlc/btcusd/", step=86400, start=START, limit=3).json()["data"]

    assert data["pair"] == "BTC/USD"
    assert [int(bar["timestamp"]) for bar in data["ohlc"]] == [START + day * DAY_SECONDS for day in range(3)]
    for bar in data["ohlc"]:
        assert all(isinstance(value, str) for value in bar.values())
        low, high = float(bar["low"]), float(bar["high"])
        assert (
            low <= min(float(bar["open"]), float(bar["close"])) <= max(float(bar["open"]), float(bar["close"])) <= high
        )


def test_without_a_start_the_newest_come(sandbox: RunningSandbox, http: httpx.Client):
    bars = get(http, sandbox, "ohlc/btcusd/", step=86400, end=START, limit=2).json()["data"]["ohlc"]

    assert [int(bar["timestamp"]) for bar in bars] == [START - DAY_SECONDS, START]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"step": 86400, "limit": 1001}, "limit"),
        ({"step": 86400}, "limit"),
        ({"step": 7, "limit": 10}, "step"),
        ({"step": 86400, "limit": 10, "start": "yesterday"}, "start"),
    ],
)
def test_wrong_parameters_are_named(sandbox: RunningSandbox, http: httpx.Client, params: dict, field: str):
    answer = get(http, sandbox, "ohlc/btcusd/", **params)

    assert answer.status_code == 400
    assert list(answer.json()["reason"]) == [field]


def test_a_pair_that_is_not_traded_is_not_found(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, "ticker/btceur/").status_code == 404
    assert get(http, sandbox, "order_book/nopeusd/").status_code == 404


def test_the_ticker_of_one_pair_is_its_row_in_the_list(sandbox: RunningSandbox, http: httpx.Client):
    rows = {row.pop("pair"): row for row in get(http, sandbox, "ticker/").json()}

    assert get(http, sandbox, "ticker/btcusd/").json() == rows["BTC/USD"]
