"""GeckoTerminal: JSON:API envelopes, amounts as text, paging, and what is refused."""

import json
from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.geckoterminal import (
    NETWORKS,
    GeckoTerminal,
    join_candles,
    parse_pools,
    parse_token_holders,
    read_candles,
)
from orchestration.sources.geckoterminal.candles import read_kept_candle
from orchestration.sources.geckoterminal.holders import read_kept_holders
from orchestration.sources.geckoterminal.pools import read_kept_pool
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
SUNDAY = date(2025, 1, 5)
DAY = 86_400
CONTRACT = "0xtoken"
MONDAY_SECOND = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp())
NOT_FOUND = {"errors": [{"status": "404", "title": "Not Found"}], "meta": {"ref": {}}}
LIMITED = {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}


def client(answer, *, attempts: int = 1) -> GeckoTerminal:
    transport = httpx.MockTransport(answer)
    return GeckoTerminal(HttpClient(transport=transport, sleep=lambda _: None, limits=HttpLimits(attempts=attempts)))


def pool(number: int = 1, *, network: str = "polygon_pos", **attributes) -> dict:
    address = f"0xpool{number}"
    return {
        "id": f"{network}_{address}",
        "type": "pool",
        "attributes": {
            "address": address,
            "name": "GME / WETH",
            "base_token_price_usd": "0.00000148440590295321912651916468624641638409545041453058498522449228",
            "pool_created_at": "2025-01-04T15:00:00Z",
            "fdv_usd": "20000.50",
            "market_cap_usd": None,
            "transactions": {"h24": {"buys": 20, "sells": 0, "buyers": 18, "sellers": 0}},
            "volume_usd": {"m5": "1.5", "h24": "5000.25"},
            "reserve_in_usd": "61000.75",
            **attributes,
        },
        "relationships": {
            "base_token": {"data": {"id": f"{network}_0xtoken{number}", "type": "token"}},
            "quote_token": {"data": {"id": f"{network}_0xweth", "type": "token"}},
            "dex": {"data": {"id": "quickswap", "type": "dex"}},
        },
    }


def page_of(*pools: dict) -> dict:
    included = [
        {"id": "polygon_pos_0xtoken1", "type": "token", "attributes": {"symbol": "GME", "coingecko_coin_id": "gme"}},
        {"id": "quickswap", "type": "dex", "attributes": {"name": "Quickswap"}},
    ]
    return {"data": list(pools), "included": included}


# -- pools -------------------------------------------------------------------------------------------------------------


def test_a_pool_is_read_with_its_tokens_although_the_name_of_its_chain_has_an_underscore():
    (row,) = parse_pools(page_of(pool()), found_as="new", now=NOW).frame.to_dicts()

    assert (row["pool_id"], row["network"], row["pool_address"]) == ("polygon_pos_0xpool1", "polygon_pos", "0xpool1")
    assert (row["base_token_address"], row["quote_token_address"]) == ("0xtoken1", "0xweth")
    assert (row["base_token_symbol"], row["coin_id"], row["dex"]) == ("GME", "gme", "quickswap")
    assert row["price_usd"] == pytest.approx(1.484405902953219e-06)
    assert (row["liquidity_usd"], row["volume_24h_usd"], row["fdv_usd"]) == (61000.75, 5000.25, 20000.5)
    assert (row["market_cap_usd"], row["found_as"], row["market_date"]) == (None, "new", SUNDAY)
    assert (row["buys_24h"], row["sells_24h"], row["buyers_24h"], row["sellers_24h"]) == (20, 0, 18, 0)
    assert row["created_at"] == datetime(2025, 1, 4, 15, tzinfo=UTC)


def test_a_drained_pool_has_no_liquidity_and_an_uncounted_one_none_known():
    nothing = {"reserve_in_usd": "0.0", "fdv_usd": "0"}
    pools = [pool(1, **nothing), pool(2, reserve_in_usd=None)]

    drained, uncounted = parse_pools(page_of(*pools), found_as="new", now=NOW).frame.to_dicts()

    assert (drained["liquidity_usd"], drained["fdv_usd"]) == (0.0, None)
    assert uncounted["liquidity_usd"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"base_token_price_usd": "-1"}, "price_usd is not above zero"),
        ({"base_token_price_usd": "0.0"}, "price_usd is not above zero"),
        ({"reserve_in_usd": "many"}, "reserve_in_usd is text that reads as no number"),
        ({"reserve_in_usd": "NaN"}, "reserve_in_usd is not finite"),
        ({"volume_usd": []}, "volume_usd is no object"),
        ({"transactions": {"h24": {"buys": "20"}}}, "buys is text, not a number"),
        ({"transactions": {"h24": {"buys": -3}}}, "is negative"),
        ({"pool_created_at": "2035-01-01T00:00:00Z"}, "pool_created_at lies in the future"),
        ({"address": "0xother"}, "id is not network_address"),
    ],
)
def test_malformed_pools_are_refused_with_reason_and_the_others_land(changes, reason):
    fetched = parse_pools(page_of(pool(1, **changes), pool(2)), found_as="trending", now=NOW)

    assert fetched.frame["pool_id"].to_list() == ["polygon_pos_0xpool2"]
    assert [reason in each.reason for each in fetched.rejected] == [True]


def test_a_refused_pool_can_be_read_again_once_it_is_right():
    (refused,) = parse_pools(page_of(pool(1, reserve_in_usd="many")), found_as="trending", now=NOW).rejected
    payload = json.loads(refused.payload)
    payload["pool"]["attributes"]["reserve_in_usd"] = "61000.75"

    (row,) = read_kept_pool(payload, NOW)

    assert (row["pool_id"], row["found_as"], row["liquidity_usd"]) == ("polygon_pos_0xpool1", "trending", 61000.75)


def test_pages_are_asked_until_one_is_not_full_and_a_pool_on_two_pages_is_kept_once():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        asked.append((request.url.path, page, request.url.params["include"], request.headers["accept"]))
        numbers = range(20) if page == 1 else range(15, 25)
        return httpx.Response(200, json=page_of(*(pool(number) for number in numbers)))

    fetched = client(answer).fetch_trending_pools(now=NOW, pages=5)

    path, included = "/api/v2/networks/trending_pools", "base_token,quote_token,dex,network"
    assert asked == [(path, page, included, "application/json;version=20230302") for page in (1, 2)]
    assert fetched.frame.height == 25


def test_no_more_pages_are_asked_than_the_provider_gives():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["page"])
        start = 20 * len(asked)
        return httpx.Response(200, json=page_of(*(pool(start + number) for number in range(20))))

    client(answer).fetch_new_pools(now=NOW, pages=50)

    assert len(asked) == 10


def test_pools_by_address_come_thirty_at_a_time():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        addresses = request.url.path.rpartition("/")[2].split(",")
        asked.append(len(addresses))
        return httpx.Response(200, json=page_of(*(pool(int(each.removeprefix("0xpool"))) for each in addresses)))

    fetched = client(answer).fetch_pools("polygon_pos", [f"0xpool{number}" for number in range(70)], now=NOW)

    assert asked == [30, 30, 10]
    assert set(fetched.frame["found_as"]) == {"followed"}


# -- candles -----------------------------------------------------------------------------------------------------------


def candles_of(*candles) -> dict:
    attributes = {"ohlcv_list": list(candles)}
    return {"data": {"id": "x", "type": "ohlcv_request_response", "attributes": attributes}, "meta": {}}


def candle(days_ago: int, close: float = 1.0) -> list:
    return [MONDAY_SECOND - days_ago * DAY, 1.0, 2.0, 0.5, close, 50000.5]


def test_candles_of_finished_days_are_read_and_the_running_one_is_not():
    payload = candles_of(candle(0), candle(1), candle(2))

    fetched = join_candles([read_candles(payload, pool_id="eth_0x1", now=NOW)], now=NOW)

    assert fetched.frame["market_date"].to_list() == [SUNDAY, date(2025, 1, 4)]
    assert fetched.frame.row(0) == ("eth_0x1", SUNDAY, 1.0, 2.0, 0.5, 1.0, 50000.5)


def test_malformed_candles_are_refused_and_the_others_land():
    broken = [
        [MONDAY_SECOND - 3 * DAY, "1.0", 2.0, 0.5, 1.0, 5.0],
        [MONDAY_SECOND - 4 * DAY, 1.0, 0.4, 0.5, 1.0, 5.0],
        [MONDAY_SECOND - 5 * DAY + 3600, 1.0, 2.0, 0.5, 1.0, 5.0],
        [MONDAY_SECOND + 9 * DAY, 1.0, 2.0, 0.5, 1.0, 5.0],
        [MONDAY_SECOND - 6 * DAY, 1.0, 2.0, 0.5, 0, 5.0],
        [1, 2],
    ]

    fetched = join_candles([read_candles(candles_of(candle(1), *broken), pool_id="eth_0x1", now=NOW)], now=NOW)

    assert fetched.frame["market_date"].to_list() == [SUNDAY]
    assert sorted(each.reason for each in fetched.rejected) == [
        "candle is no list of 6 values",
        "high_usd is below low_usd",
        "open time is not 00:00 UTC",
        "open time lies in the future",
        "open_usd is text, not a number",
        "open_usd or high_usd or low_usd or close_usd is not above zero",
    ]
    (raw,) = [each for each in fetched.rejected if "text" in each.reason]
    fixed = json.loads(raw.payload)
    fixed["candle"][1] = 1.0
    assert read_kept_candle(fixed, NOW)[0]["market_date"] == date(2025, 1, 3)


def test_candles_are_paged_backwards_until_the_first_day_wanted():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        asked.append(dict(params))
        newest = 0 if "before_timestamp" not in params else (MONDAY_SECOND - int(params["before_timestamp"])) // DAY + 1
        return httpx.Response(200, json=candles_of(*(candle(ago) for ago in range(newest, newest + 1000))))

    result = client(answer).fetch_pool_candles("eth", "0x1", start=date(2020, 1, 6), now=NOW)

    assert [each.get("before_timestamp") for each in asked] == [None, str(MONDAY_SECOND - 999 * DAY)]
    assert {each["limit"] for each in asked} == {"1000"}
    assert min(row["market_date"] for row in result.rows) == date(2020, 1, 6)
    assert len({row["market_date"] for row in result.rows}) == len(result.rows) == 1827


def test_a_short_history_costs_one_request_for_as_many_candles_as_days():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return httpx.Response(200, json=candles_of(candle(0), candle(1)))

    client(answer).fetch_pool_candles("eth", "0x1", start=date(2025, 1, 3), now=NOW)

    assert [each["limit"] for each in asked] == ["4"]
    assert asked[0]["currency"] == "usd"


def test_a_provider_that_gives_the_same_page_for_ever_is_asked_no_more():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("before_timestamp"))
        return httpx.Response(200, json=candles_of(*(candle(ago) for ago in range(1000))))

    result = client(answer).fetch_pool_candles("eth", "0x1", start=date(2015, 1, 1), now=NOW)

    assert len(asked) == 2
    assert join_candles([result], now=NOW).frame.height == 999


# -- holders -----------------------------------------------------------------------------------------------------------


def info(**attributes) -> dict:
    usual = {
        "address": "0xToken",
        "symbol": "USDT",
        "coingecko_coin_id": "tether",
        "gt_score": 92.66,
        "holders": {
            "count": 9409235,
            "distribution_percentage": {"top_10": "47.5704", "11_30": "11.3944", "31_50": "5.1233", "rest": "35.9119"},
            "last_updated": "2025-01-05T03:13:27Z",
        },
        "mint_authority": None,
        "freeze_authority": None,
        "is_honeypot": False,
    }
    return {"data": {"id": "eth_0xtoken", "type": "token", "attributes": usual | attributes}}


def holders(payload: dict, *, network: str = "eth") -> dict:
    fetched = parse_token_holders(payload, network=network, token_address=CONTRACT, now=NOW)
    assert fetched.rejected == ()
    return fetched.frame.row(0, named=True)


def test_holders_of_a_token_on_ethereum():
    row = holders(info())

    assert (row["network"], row["token_address"], row["coin_id"]) == ("eth", "0xtoken", "tether")
    assert (row["holders"], row["score"], row["market_date"]) == (9409235, 92.66, SUNDAY)
    assert row["top_10_share"] == pytest.approx(0.475704)
    assert row["next_40_share"] == pytest.approx(0.165177)
    assert row["next_30_share"] is None
    assert (row["is_honeypot"], row["has_mint_authority"]) == ("no", None)


def test_holders_of_a_token_on_solana_are_cut_elsewhere_and_verdicts_are_words():
    shares = {"top_10": "24.8966", "11_20": "7.8395", "21_40": "8.5709", "rest": "58.693"}
    words = {"mint_authority": "yes", "is_honeypot": "unknown"}

    row = holders(info(holders={"count": 730, "distribution_percentage": shares}, **words), network="solana")

    assert row["next_30_share"] == pytest.approx(0.164104)
    assert row["next_40_share"] is None
    assert (row["is_honeypot"], row["has_mint_authority"]) == ("unknown", "yes")


@pytest.mark.parametrize("told", [None, {"count": None, "distribution_percentage": None}, {"count": 0}])
def test_holders_that_nobody_counted_are_unknown_and_not_zero(told):
    row = holders(info(holders=told))

    assert (row["holders"], row["top_10_share"], row["symbol"]) == (None, None, "USDT")


def test_an_address_with_the_right_to_mint_is_a_yes():
    assert holders(info(mint_authority="4t7dHZcUzNC96d79won5TRZsvwP1bumhPNf3awR5BHdu"))["has_mint_authority"] == "yes"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"address": "0xother"}, "answer is about 0xother, not 0xtoken"),
        ({"holders": {"count": "many"}}, "count is text, not a number"),
        ({"holders": {"distribution_percentage": {"top_10": "147.1"}}}, "top_10_share is outside 0-1"),
        ({"is_honeypot": 3}, "is_honeypot is neither a word nor a flag"),
        ({"gt_score": [1]}, "gt_score is a list, not a number"),
        ({"holders": {"count": 7, "last_updated": "2035-01-01T00:00:00Z"}}, "last_updated lies in the future"),
    ],
)
def test_malformed_holders_are_refused(changes, reason):
    fetched = parse_token_holders(info(**changes), network="eth", token_address=CONTRACT, now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


def test_refused_holders_can_be_read_again_once_they_are_right():
    changed = info(gt_score="92.66")
    (refused,) = parse_token_holders(changed, network="eth", token_address=CONTRACT, now=NOW).rejected
    payload = json.loads(refused.payload)
    payload["token"]["attributes"]["gt_score"] = 92.66

    assert list(read_kept_holders(payload, NOW)) == [holders(info())]


def test_a_token_that_the_provider_does_not_know_is_a_row_without_values():
    fetched = client(lambda request: httpx.Response(404, json=NOT_FOUND)).fetch_token_holders("eth", "0x9", now=NOW)

    (row,) = fetched.frame.to_dicts()
    assert (row.pop("network"), row.pop("token_address"), row.pop("market_date")) == ("eth", "0x9", SUNDAY)
    assert set(row.values()) == {None}


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_pool_that_the_provider_does_not_know_is_a_rejected_request():
    geckoterminal = client(lambda request: httpx.Response(404, json=NOT_FOUND))

    with pytest.raises(RequestRejectedError, match=r"geckoterminal: error 404.*Not Found.*check network and address"):
        geckoterminal.fetch_pool_candles("eth", "0x9", start=SUNDAY, now=NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(429, json=LIMITED), RateLimitedError),
        (httpx.Response(429, html="<html><title>429</title></html>"), RateLimitedError),
        (httpx.Response(200, json=LIMITED), RateLimitedError),
        (httpx.Response(200, json=NOT_FOUND), RequestRejectedError),
        (httpx.Response(200, html="<html></html>"), UnexpectedBodyError),
        (httpx.Response(200, json=[]), UnexpectedBodyError),
        (httpx.Response(200, json={"data": {}}), UnexpectedBodyError),
        (httpx.Response(503, text="down"), SourceUnavailableError),
        (httpx.Response(403, json={"errors": [{"status": "403", "title": "Forbidden"}]}), AccessRestrictedError),
    ],
)
def test_every_failure_becomes_a_typed_error(answer, expected):
    with pytest.raises(expected):
        client(lambda request: answer).fetch_new_pools(now=NOW, pages=1)


def test_a_rate_limit_is_waited_out():
    answers = [httpx.Response(429, json=LIMITED), httpx.Response(200, json=page_of(pool()))]

    fetched = client(lambda request: answers.pop(0), attempts=2).fetch_new_pools(now=NOW, pages=1)

    assert fetched.frame.height == 1


def test_chains_have_the_names_that_the_two_providers_give_them():
    # docs.geckoterminal.com, /networks: `coingecko_asset_platform_id` by `id`.
    assert NETWORKS["ethereum"] == "eth"
    assert NETWORKS["binance-smart-chain"] == "bsc"
    assert NETWORKS["polygon-pos"] == "polygon_pos"
    assert NETWORKS["arbitrum-one"] == "arbitrum"
    assert (NETWORKS["solana"], NETWORKS["base"]) == ("solana", "base")
