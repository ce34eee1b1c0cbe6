"""CoinGecko: paging, three error envelopes, day convention, and what is refused."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from orchestration.sources.coingecko import (
    CoinGecko,
    parse_categories,
    parse_market_chart,
    parse_markets,
    refuse_error,
)
from orchestration.sources.errors import (
    AccessRestrictedError,
    HistoryRangeError,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedBodyError,
)
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
BASE = "https://api.coingecko.com/api/v3"


def http_for(answer, **options) -> HttpClient:
    return HttpClient(transport=httpx.MockTransport(answer), sleep=lambda seconds: None, **options)


def coin(number: int, **changes) -> dict:
    row = {
        "id": f"coin-{number}",
        "symbol": f"c{number}",
        "name": f"Coin {number}",
        "current_price": 1.5,
        "market_cap": 1_000_000 - number,
        "total_volume": 1000,
        "circulating_supply": 100.0,
        "total_supply": 120.0,
        "max_supply": None,
        "last_updated": "2025-01-06T00:29:00.000Z",
    }
    return row | changes


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_markets_are_paged_until_a_page_is_not_full():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        asked.append(page)
        count = 250 if page < 3 else 20
        return httpx.Response(200, json=[coin(page * 1000 + number) for number in range(count)])

    with http_for(answer) as http:
        fetched = CoinGecko(http).fetch_markets(now=NOW, max_coins=2000)

    assert asked == [1, 2, 3]
    assert fetched.frame.height == 520
    assert set(fetched.frame["market_date"]) == {date(2025, 1, 5)}


def test_markets_stop_at_the_number_wanted():
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[coin(number) for number in range(250)])

    with http_for(answer) as http:
        fetched = CoinGecko(http).fetch_markets(now=NOW, max_coins=100)

    assert fetched.frame.height == 100


def test_a_coin_that_changes_page_between_two_requests_is_kept_once():
    def answer(request: httpx.Request) -> httpx.Response:
        first = [coin(number) for number in range(250)]
        return httpx.Response(200, json=first if request.url.params["page"] == "1" else [coin(249, current_price=9.0)])

    with http_for(answer) as http:
        fetched = CoinGecko(http).fetch_markets(now=NOW, max_coins=500)

    assert fetched.frame.height == 250
    assert fetched.rejected == ()


def test_the_key_travels_in_a_header_only():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    with http_for(answer) as http:
        CoinGecko(http, api_key=" CG-key\n").fetch_markets(now=NOW)

    assert seen[0].headers["x-cg-demo-api-key"] == "CG-key"
    assert "CG-key" not in str(seen[0].url)


def test_an_unknown_cap_or_supply_of_zero_is_null():
    fetched = parse_markets([coin(1, market_cap=0, circulating_supply=0, total_supply=None)], now=NOW)

    row = fetched.frame.row(0, named=True)
    assert row["market_cap_usd"] is None
    assert row["circulating_supply_tokens"] is None
    assert row["total_supply_tokens"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"current_price": 0}, "price_usd is not above zero"),
        ({"current_price": -1.0}, "price_usd is not above zero"),
        ({"current_price": None}, "price_usd is missing or not readable"),
        ({"current_price": "1.5"}, "current_price is text, not a number"),
        ({"current_price": [1]}, "current_price is a list, not a number"),
        ({"current_price": float("nan")}, "current_price is not finite"),
        ({"total_volume": -5}, "market_cap_usd or volume_24h_usd"),
        ({"last_updated": "2025-01-07T00:00:00Z"}, "last_updated lies in the future"),
        ({"last_updated": "yesterday"}, "last_updated is no ISO-8601 timestamp"),
        ({"id": None}, "coin_id is missing or not readable"),
    ],
)
def test_malformed_market_rows_are_refused_with_the_reason_and_the_record(changes, reason):
    fetched = parse_markets([coin(1, **changes), coin(2)], now=NOW)

    assert fetched.frame["coin_id"].to_list() == ["coin-2"]
    assert [reason in each.reason for each in fetched.rejected] == [True]
    assert json.loads(fetched.rejected[0].payload)


def test_disagreeing_duplicates_in_one_answer_are_refused_and_equal_ones_collapse():
    page = [coin(1), coin(1), coin(2), coin(2, current_price=3.0)]

    fetched = parse_markets(page, now=NOW)

    assert fetched.frame["coin_id"].to_list() == ["coin-1"]
    assert [each.reason for each in fetched.rejected] == ["rows of one key disagree within one answer"] * 2


def chart(points: list[tuple[datetime, float | None]], cap: float = 5e6) -> dict:
    return {
        "prices": [[milliseconds(at), price] for at, price in points],
        "market_caps": [[milliseconds(at), cap] for at, _ in points],
        "total_volumes": [[milliseconds(at), 7.0] for at, _ in points],
    }


def test_a_point_at_midnight_is_the_close_of_the_day_before_and_now_is_dropped():
    midnight = datetime(2025, 1, 6, tzinfo=UTC)
    points = [(midnight - timedelta(days=1), 10.0), (midnight, 11.0), (NOW, 12.0)]

    fetched = parse_market_chart(chart(points), coin_id="bitcoin", symbol="btc", now=NOW)

    assert fetched.frame.select("market_date", "price_usd", "market_cap_usd").rows() == [
        (date(2025, 1, 4), 10.0, 5e6),
        (date(2025, 1, 5), 11.0, 5e6),
    ]
    assert fetched.rejected == ()


def test_now_shortly_after_midnight_is_not_taken_for_the_close():
    just_now = datetime(2025, 1, 6, 0, 5, tzinfo=UTC)
    points = [(datetime(2025, 1, 5, tzinfo=UTC), 10.0), (just_now, 12.0)]

    fetched = parse_market_chart(chart(points), coin_id="bitcoin", symbol=None, now=just_now)

    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 4)]


def test_of_hourly_points_the_first_after_midnight_is_the_close():
    start = datetime(2024, 12, 1, 0, 4, 51, tzinfo=UTC)
    points = [(start + timedelta(hours=hour), 100.0 + hour) for hour in range(49)]

    fetched = parse_market_chart(chart(points), coin_id="bitcoin", symbol=None, now=NOW)

    assert fetched.frame.select("market_date", "price_usd").rows() == [
        (date(2024, 11, 30), 100.0),
        (date(2024, 12, 1), 124.0),
        (date(2024, 12, 2), 148.0),
    ]


def test_a_chart_with_bad_points_keeps_the_good_ones():
    midnight = datetime(2025, 1, 4, tzinfo=UTC)
    payload = chart([(midnight, 10.0), (midnight + timedelta(days=1), None)], cap=0)
    payload["prices"] += [["text", 1.0], [1], [milliseconds(datetime(2025, 2, 1, tzinfo=UTC)), 1.0]]

    fetched = parse_market_chart(payload, coin_id="bitcoin", symbol=None, now=NOW)

    assert fetched.frame.select("market_date", "market_cap_usd").rows() == [(date(2025, 1, 3), None)]
    assert sorted(each.reason for each in fetched.rejected) == [
        "point is no pair of time and value",
        "price_usd is missing or not readable",
        "timestamp is text, not a number",
        "timestamp lies in the future",
    ]


@pytest.mark.parametrize(
    ("start", "path", "query"),
    [
        (date(2025, 1, 5), "/coins/bitcoin/market_chart", {"days": "2", "interval": "daily"}),
        (date(2024, 1, 7), "/coins/bitcoin/market_chart", {"days": "365", "interval": "daily"}),
        (date(2022, 1, 3), "/coins/bitcoin/market_chart/range", {"from": "1641254400"}),
    ],
)
def test_daily_closes_come_from_the_chart_within_the_public_year_and_from_the_range_beyond(start, path, query):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json=chart([(datetime(2025, 1, 6, tzinfo=UTC), 11.0)]))

    with http_for(answer) as http:
        fetched = CoinGecko(http, base_url=f"{BASE}/").fetch_market_daily(
            "bitcoin", symbol="btc", start=start, end=date(2025, 1, 5), now=NOW
        )

    assert seen[0].path == f"/api/v3{path}"
    assert query.items() <= dict(seen[0].params).items()
    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 5)]


LIMIT = {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}
RANGE = {"error": {"status": {"timestamp": "2026-01-01", "error_code": 10012, "error_message": "past 365 days"}}}


@pytest.mark.parametrize(
    ("payload", "status", "expected"),
    [
        (LIMIT, 200, RateLimitedError),
        (RANGE, 401, HistoryRangeError),
        (RANGE, 200, HistoryRangeError),
        ({"error": "coin not found"}, 404, RequestRejectedError),
        ({"status": {"error_code": 10010, "error_message": "root URL"}}, 400, RequestRejectedError),
    ],
)
def test_every_error_envelope_becomes_a_typed_error(payload, status, expected):
    with pytest.raises(expected):
        refuse_error(payload, status=status)


def test_a_rate_limit_under_200_is_repeated():
    answers = [httpx.Response(200, json=LIMIT), httpx.Response(200, json=[coin(1)])]

    with http_for(lambda request: answers.pop(0)) as http:
        fetched = CoinGecko(http).fetch_markets(now=NOW)

    assert fetched.frame.height == 1


def test_history_beyond_the_plan_says_what_to_do():
    with (
        http_for(lambda request: httpx.Response(401, json=RANGE)) as http,
        pytest.raises(HistoryRangeError, match=r"365 days.*archive.*paid key"),
    ):
        CoinGecko(http).fetch_market_daily(
            "bitcoin", symbol=None, start=date(2020, 1, 1), end=date(2020, 2, 1), now=NOW
        )


def test_a_plan_that_is_too_small_is_told_apart_from_the_firewall():
    body = {"error": {"status": {"error_code": 10005, "error_message": "limited to paid plans"}}}

    with (
        http_for(lambda request: httpx.Response(403, json=body)) as http,
        pytest.raises(RequestRejectedError, match=r"10005.*limited to paid plans"),
    ):
        CoinGecko(http).fetch_inactive(now=NOW)


def test_a_key_goes_in_the_header_of_its_host():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    with http_for(answer) as http:
        CoinGecko(http, base_url="https://pro-api.coingecko.com/api/v3", api_key="CG-paid").fetch_categories()

    assert seen[0].headers["x-cg-pro-api-key"] == "CG-paid"
    assert "x-cg-demo-api-key" not in seen[0].headers


def test_the_firewall_is_told_apart_from_a_wrong_request():
    with (
        http_for(lambda request: httpx.Response(403, text="error code: 1020")) as http,
        pytest.raises(AccessRestrictedError, match="network is refused"),
    ):
        CoinGecko(http).fetch_categories()


def test_an_answer_of_another_shape_is_refused():
    with (
        http_for(lambda request: httpx.Response(200, json={"coins": []}), limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="no list"),
    ):
        CoinGecko(http).fetch_markets(now=NOW)


def test_members_of_categories_carry_id_and_name_and_renamed_categories_are_reported():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["category"])
        return httpx.Response(200, json=[coin(1), coin(2)])

    with http_for(answer) as http:
        fetched = CoinGecko(http).fetch_asset_categories(
            ["meme-token", "renamed-away"], names={"meme-token": "Meme"}, now=NOW
        )

    assert asked == ["meme-token"]
    assert fetched.frame.rows() == [("coin-1", "meme-token", "Meme"), ("coin-2", "meme-token", "Meme")]
    assert [each.reason for each in fetched.rejected] == ["category is not in coins/categories/list"]


def test_category_lists_of_both_endpoints_are_read():
    assert parse_categories([{"category_id": "layer-1", "name": "Layer 1 (L1)"}]) == {"layer-1": "Layer 1 (L1)"}
    assert parse_categories([{"id": "layer-1", "name": "Layer 1 (L1)"}]) == {"layer-1": "Layer 1 (L1)"}
