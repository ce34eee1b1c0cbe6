import httpx
import pytest

from orchestration.sandbox.runner import RunningSandbox

DAY = 86_400_000


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, **params) -> dict:
    return http.get(f"{sandbox.url_for('www.okx.com')}/api/v5/{path}", params=params).json()


def opens(answer: dict) -> list[int]:
    return [int(row[0]) for row in answer["data"]]


def test_candles_are_nine_texts_newest_first_and_say_whether_they_are_closed(
    sandbox: RunningSandbox, http: httpx.Client
):
    answer = get(http, sandbox, "market/candles", instId="BTC-USDT", bar="1Dutc", limit=3)

    assert answer["code"] == "0"
    assert [row[8] for row in answer["data"]] == ["0", "1", "1"]
    assert opens(answer) == sorted(opens(answer), reverse=True)
    for row in answer["data"]:
        assert len(row) == 9
        assert all(isinstance(value, str) for value in row)
        opened, high, low, close = (float(value) for value in row[1:5])
        assert low <= min(opened, close) <= max(opened, close) <= high


def test_of_too_many_candles_the_newest_come_and_both_bounds_are_exclusive(sandbox: RunningSandbox, http: httpx.Client):
    newest = opens(get(http, sandbox, "market/candles", instId="BTC-USDT", bar="1Dutc"))[0]

    since = opens(get(http, sandbox, "market/candles", instId="BTC-USDT", bar="1Dutc", before=newest - 400 * DAY))
    between = opens(
        get(
            http,
            sandbox,
            "market/candles",
            instId="BTC-USDT",
            bar="1Dutc",
            before=newest - 5 * DAY,
            after=newest - 2 * DAY,
        )
    )

    assert (since[0], len(since)) == (newest, 100)
    assert between == [newest - 3 * DAY, newest - 4 * DAY]


def test_a_page_has_300_candles_at_most(sandbox: RunningSandbox, http: httpx.Client):
    answer = get(http, sandbox, "market/history-candles", instId="BTC-USDT", bar="1Dutc", limit=5000)

    assert len(answer["data"]) == 300
    assert {row[8] for row in answer["data"]} == {"1"}  # the unfinished one is no history


def test_bars_that_do_not_open_at_midnight_utc_are_refused(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, "market/candles", instId="BTC-USDT", bar="1D")["code"] == "51000"


def test_books_show_as_many_levels_as_asked_for_up_to_their_limit(sandbox: RunningSandbox, http: httpx.Client):
    default = get(http, sandbox, "market/books", instId="BTC-USDT")["data"][0]
    short = get(http, sandbox, "market/books", instId="BTC-USDT", sz=400)["data"][0]
    full = get(http, sandbox, "market/books-full", instId="BTC-USDT", sz=5000)["data"][0]

    assert len(default["bids"]) == 1
    assert len(short["bids"]) == 400
    assert len(full["bids"]) > 3000
    assert full["asks"][:400] == [[price, amount, orders] for price, amount, _, orders in short["asks"]]
    assert get(http, sandbox, "market/books", instId="BTC-USDT", sz=401)["code"] == "51000"


def test_instruments_that_are_not_traded_here_are_empty(sandbox: RunningSandbox, http: httpx.Client):
    assert get(http, sandbox, "public/instruments", instType="OPTION") == {"code": "0", "msg": "", "data": []}
    assert get(http, sandbox, "public/instruments")["code"] == "51000"


@pytest.mark.parametrize("path", ["market/candles", "public/funding-rate-history"])
def test_an_unknown_instrument_is_an_error_under_status_200(sandbox: RunningSandbox, http: httpx.Client, path: str):
    answer = http.get(f"{sandbox.url_for('www.okx.com')}/api/v5/{path}", params={"instId": "NOPE-USDT"})

    assert (answer.status_code, answer.json()["code"]) == (200, "51001")


def test_the_history_of_funding_ends_after_three_months(sandbox: RunningSandbox, http: httpx.Client):
    found: list[int] = []
    params = {"instId": "BTC-USDT-SWAP"}
    while rows := get(http, sandbox, "public/funding-rate-history", **params)["data"]:
        found += [int(row["fundingTime"]) for row in rows]
        params["after"] = rows[-1]["fundingTime"]

    assert len(found) == 92 * 3
    assert found == sorted(found, reverse=True)
