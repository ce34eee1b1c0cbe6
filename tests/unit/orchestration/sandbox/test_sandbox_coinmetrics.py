import re
from datetime import UTC, datetime

import httpx
import pytest

from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox

HOST = "community-api.coinmetrics.io"


def get(
    http: httpx.Client, sandbox: RunningSandbox, path: str = "timeseries/asset-metrics", **params
) -> httpx.Response:
    return http.get(f"{sandbox.url_for(HOST)}/v4/{path}", params=params)


def test_rows_are_text_with_nine_digits_of_a_second(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, assets="btc", metrics="AdrActCnt,PriceUSD", page_size=10, paging_from="start").json()[
        "data"
    ]

    assert len(rows) == 10
    assert rows[0]["time"] == "2022-01-03T00:00:00.000000000Z"
    assert re.fullmatch(r"\d+", rows[0]["AdrActCnt"])
    assert re.fullmatch(r"\d+(\.\d+)?", rows[0]["PriceUSD"])


def test_a_day_is_published_a_day_after_its_end(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, assets="btc", metrics="PriceUSD").json()["data"]

    assert rows[-1]["time"].startswith("2025-01-04")  # now is Monday 00:30, so Saturday's row is the newest


def test_only_the_newest_flow_is_provisional(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(http, sandbox, assets="btc", metrics="FlowInExNtv").json()["data"]

    assert rows[-1]["FlowInExNtv-status"] == "flash"
    assert {row["FlowInExNtv-status"] for row in rows[:-1]} == {"reviewed"}
    assert rows[-1]["FlowInExNtv-status-time"].endswith("000Z")


def test_pages_walk_backwards_by_default(sandbox: RunningSandbox, http: httpx.Client):
    first = get(http, sandbox, assets="btc", metrics="PriceUSD").json()
    second = http.get(first["next_page_url"]).json()

    times = [row["time"] for row in [*second["data"], *first["data"]]]
    assert len(first["data"]) == 100
    assert times == sorted(times)


def test_following_next_page_url_from_the_start_yields_every_row_once(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    answer = get(http, sandbox, assets="btc,eth", metrics="PriceUSD", page_size=700, paging_from="start").json()
    rows = answer["data"]
    while "next_page_url" in answer:
        assert answer["next_page_url"].startswith(sandbox.url_for(HOST))
        answer = http.get(answer["next_page_url"]).json()
        rows += answer["data"]

    days = (datetime(2025, 1, 4, tzinfo=UTC).date() - market.settings.start).days + 1
    assert [(row["asset"], row["time"]) for row in rows] == sorted({(row["asset"], row["time"]) for row in rows})
    assert len(rows) == 2 * days
    assert "next_page_token" not in answer


def test_times_can_be_bounded_and_rows_sorted_by_time(sandbox: RunningSandbox, http: httpx.Client):
    rows = get(
        http,
        sandbox,
        assets="btc,eth",
        metrics="PriceUSD",
        start_time="2024-02-01",
        end_time="2024-02-03T00:00:00Z",
        paging_from="start",
        sort="time",
    ).json()["data"]

    assert [(row["time"][:10], row["asset"]) for row in rows] == [
        (day, asset) for day in ("2024-02-01", "2024-02-02", "2024-02-03") for asset in ("btc", "eth")
    ]


def test_one_forbidden_metric_fails_the_whole_request_unless_ignored(sandbox: RunningSandbox, http: httpx.Client):
    refused = get(http, sandbox, assets="btc", metrics="PriceUSD,CapRealUSD")
    ignored = get(http, sandbox, assets="btc", metrics="PriceUSD,CapRealUSD", ignore_forbidden_errors="true")

    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "forbidden")
    assert "CapRealUSD" in refused.json()["error"]["message"]
    assert "CapRealUSD" not in ignored.json()["data"][0]


def test_a_metric_that_an_asset_lacks_fails_unless_ignored(
    market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client
):
    partial = next(row for row in market.tokens.iter_rows(named=True) if row["coinmetrics_metrics"] == ["PriceUSD"])[
        "symbol"
    ].lower()

    refused = get(http, sandbox, assets=partial, metrics="PriceUSD,TxCnt")
    ignored = get(http, sandbox, assets=partial, metrics="PriceUSD,TxCnt", ignore_unsupported_errors="true")

    assert refused.status_code == 400
    assert set(ignored.json()["data"][0]) == {"asset", "time", "PriceUSD"}


@pytest.mark.parametrize(
    "params",
    [
        {"assets": "nosuch", "metrics": "PriceUSD"},
        {"assets": "btc", "metrics": "NoSuchMetric"},
        {"assets": "btc"},
        {"metrics": "PriceUSD"},
        {"assets": "btc", "metrics": "PriceUSD", "page_size": "0"},
        {"assets": "btc", "metrics": "PriceUSD", "start_time": "yesterday"},
        {"assets": "btc", "metrics": "PriceUSD", "next_page_token": "?"},
        {"assets": "btc", "metrics": "PriceUSD", "frequency": "1b"},
    ],
)
def test_bad_parameters_are_named(sandbox: RunningSandbox, http: httpx.Client, params: dict):
    answer = get(http, sandbox, **params)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_parameter")


def test_the_catalogue_tells_what_each_asset_has(market: SimulatedMarket, sandbox: RunningSandbox, http: httpx.Client):
    entries = {
        entry["asset"]: entry["metrics"] for entry in get(http, sandbox, "catalog-v2/asset-metrics").json()["data"]
    }

    assert len(entries) == 12
    assert len(entries["btc"]) == len(entries["eth"]) == 9
    assert entries["btc"][0]["frequencies"] == [
        {
            "frequency": "1d",
            "min_time": "2022-01-03T00:00:00.000000000Z",
            "max_time": "2025-01-04T00:00:00.000000000Z",
            "community": True,
        }
    ]


def test_answers_carry_the_rate_headers(sandbox: RunningSandbox, http: httpx.Client):
    assert "x-ratelimit-remaining" in get(http, sandbox, assets="btc", metrics="PriceUSD").headers
