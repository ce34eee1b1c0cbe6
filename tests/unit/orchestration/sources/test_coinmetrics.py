"""Coin Metrics: catalogue, paging on our own base URL, text numbers, nanoseconds, provisional rows."""

from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.coinmetrics import CoinMetrics, parse_asset_metrics, parse_catalogue
from orchestration.sources.errors import RequestRejectedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
SANDBOX = "http://127.0.0.1:8000/community-api.coinmetrics.io/v4"


def http_for(answer, **options) -> HttpClient:
    return HttpClient(transport=httpx.MockTransport(answer), sleep=lambda seconds: None, **options)


def row(day: str, **values) -> dict:
    return {"asset": "btc", "time": f"{day}T00:00:00.000000000Z", **values}


def test_pages_are_followed_on_our_base_url_from_the_start():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        if "next_page_token" in request.url.params:
            return httpx.Response(200, json={"data": [row("2025-01-05", AdrActCnt="3")]})
        following = f"https://community-api.coinmetrics.io/v4/timeseries/asset-metrics?{request.url.query.decode()}"
        payload = {"data": [row("2025-01-04", AdrActCnt="2")], "next_page_url": f"{following}&next_page_token=0.MjAy"}
        return httpx.Response(200, json=payload)

    with http_for(answer) as http:
        fetched = CoinMetrics(http, base_url=SANDBOX).fetch_asset_metrics(
            {"btc": ["AdrActCnt"]}, start=date(2025, 1, 4), end=date(2025, 1, 5), now=NOW
        )

    assert [url.host for url in seen] == ["127.0.0.1", "127.0.0.1"]
    assert seen[0].params["paging_from"] == "start"
    assert seen[0].params["ignore_forbidden_errors"] == "true"
    assert seen[1].params["assets"] == "btc"
    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 4), date(2025, 1, 5)]


def test_paging_in_circles_is_refused():
    payload = {"data": [], "next_page_url": "https://host/v4/timeseries/asset-metrics?assets=btc&next_page_token=1"}

    with (
        http_for(lambda request: httpx.Response(200, json=payload)) as http,
        pytest.raises(UnexpectedBodyError, match="circles"),
    ):
        CoinMetrics(http).fetch_asset_metrics(
            {"btc": ["AdrActCnt"]}, start=date(2025, 1, 4), end=date(2025, 1, 5), now=NOW
        )


def test_tokens_with_equal_metrics_share_a_request_and_long_lists_are_cut():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.params["assets"], len(str(request.url))))
        return httpx.Response(200, json={"data": []})

    many = {f"token{number:04d}": ["AdrActCnt"] for number in range(400)}
    with http_for(answer) as http:
        CoinMetrics(http).fetch_asset_metrics(
            {**many, "btc": ["PriceUSD"]}, start=date(2025, 1, 4), end=date(2025, 1, 5), now=NOW
        )

    assert [assets for assets, _ in seen if "token" not in assets] == ["btc"]
    assert len(seen) == 4
    assert max(length for _, length in seen) < 5000


def test_text_values_status_and_missing_values_are_read():
    record = row("2025-01-05", AdrActCnt="700", FlowInExNtv="12.5", PriceUSD=None)
    record |= {"FlowInExNtv-status": "flash", "FlowInExNtv-status-time": "2025-01-06T00:10:00.123456789Z"}

    fetched = parse_asset_metrics({"data": [record]}, metrics=["AdrActCnt", "FlowInExNtv", "PriceUSD"], now=NOW)

    assert fetched.frame.rows() == [
        ("btc", date(2025, 1, 5), "AdrActCnt", 700.0, None, "community"),
        ("btc", date(2025, 1, 5), "FlowInExNtv", 12.5, "flash", "community"),
    ]
    assert fetched.rejected == ()


def test_the_running_day_is_left_out():
    fetched = parse_asset_metrics({"data": [row("2025-01-06", AdrActCnt="1")]}, metrics=["AdrActCnt"], now=NOW)

    assert fetched.frame.is_empty()
    assert fetched.rejected == ()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (row("2025-01-05", AdrActCnt="many"), "AdrActCnt is text that reads as no number"),
        (row("2025-01-05", AdrActCnt="NaN"), "AdrActCnt is not finite"),
        (row("2025-01-05", AdrActCnt="-1"), "value is negative for a metric that cannot be"),
        (row("2026-01-05", AdrActCnt="1"), "time lies in the future"),
        ({"asset": "btc", "time": 5, "AdrActCnt": "1"}, "time is no timestamp"),
        ({"time": "2025-01-05T00:00:00.000000000Z", "AdrActCnt": "1"}, "asset is missing"),
    ],
)
def test_malformed_records_are_refused(record, reason):
    fetched = parse_asset_metrics({"data": [record]}, metrics=["AdrActCnt"], now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


def test_metrics_that_may_be_negative_are_kept():
    fetched = parse_asset_metrics({"data": [row("2025-01-05", ROI30d="-12.5")]}, metrics=["ROI30d"], now=NOW)

    assert fetched.frame["value"].to_list() == [-12.5]


def test_the_catalogue_keeps_daily_metrics_of_the_community():
    def metric(name: str, frequency: str, community: bool) -> dict:
        return {"metric": name, "frequencies": [{"frequency": frequency, "community": community}]}

    metrics = [metric("AdrActCnt", "1d", True), metric("CapRealUSD", "1d", False), metric("ReferenceRate", "1h", True)]

    assert parse_catalogue({"data": [{"asset": "btc", "metrics": metrics}, {"asset": "sol", "metrics": []}]}) == {
        "btc": ("AdrActCnt",)
    }


@pytest.mark.parametrize(
    "entry",
    [None, {"metrics": None}, {"asset": "x", "metrics": None}, {"asset": "x", "metrics": [None, {"frequencies": 5}]}],
)
def test_an_entry_of_the_catalogue_that_cannot_be_read_offers_nothing_and_loses_no_other(entry):
    metric = {"metric": "TxCnt", "frequencies": [{"frequency": "1d", "community": True}]}

    assert parse_catalogue({"data": [entry, {"asset": "btc", "metrics": [metric]}]}) == {"btc": ("TxCnt",)}


def test_a_refused_request_repeats_the_providers_words():
    error = {"error": {"type": "bad_parameter", "message": "Bad parameter 'assets'. Value 'sdvwbtc' is not supported."}}

    with (
        http_for(lambda request: httpx.Response(400, json=error)) as http,
        pytest.raises(RequestRejectedError, match=r"sdvwbtc.*catalogue"),
    ):
        CoinMetrics(http).fetch_catalogue(["sdvwbtc"])


def test_an_answer_without_data_is_refused():
    with (
        http_for(lambda request: httpx.Response(200, json={"datum": 1}), limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="no list `data`"),
    ):
        CoinMetrics(http).fetch_catalogue()


def test_one_forbidden_metric_does_not_lose_the_others():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params)
        if request.url.params.get("ignore_forbidden_errors") != "true":
            said = "Requested metric 'SOPR' with frequency '1d' for asset 'btc' is not available with supplied credentials."
            return httpx.Response(403, json={"error": {"type": "forbidden", "message": said}})
        return httpx.Response(200, json={"data": [row("2025-01-05", AdrActCnt="700")]})

    with http_for(answer) as http:
        fetched = CoinMetrics(http).fetch_asset_metrics(
            {"btc": ["AdrActCnt", "SOPR"]}, start=date(2025, 1, 4), end=date(2025, 1, 5), now=NOW
        )

    assert len(seen) == 1
    assert seen[0]["ignore_unsupported_errors"] == "true"
    assert fetched.frame["metric"].to_list() == ["AdrActCnt"]


def test_a_spent_limit_is_waited_for_as_long_as_its_headers_say():
    headers = {"x-ratelimit-limit": "10;w=6", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "4"}
    spent = httpx.Response(429, json={"error": {"type": "too_many_requests", "message": "slow"}}, headers=headers)
    answers = [spent, httpx.Response(200, json={"data": []})]
    pauses: list[float] = []

    with HttpClient(
        transport=httpx.MockTransport(lambda request: answers.pop(0)), sleep=pauses.append, clock=lambda: sum(pauses)
    ) as http:
        catalogue = CoinMetrics(http).fetch_catalogue()

    assert catalogue == {}
    assert sum(pauses) == pytest.approx(4)
