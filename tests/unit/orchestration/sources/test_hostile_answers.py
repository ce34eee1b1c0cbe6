"""Answers that broke a parser once, found by `make fuzz`, and keys that a provider says back."""

import base64
import json
import urllib.parse
from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.coingecko import parse_market_chart
from orchestration.sources.coingecko.lists import parse_coin_list
from orchestration.sources.errors import SourceError, UnexpectedBodyError
from orchestration.sources.exchanges.candle_rows import Page, read_pages
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.geckoterminal.candles import oldest_second, read_candles
from orchestration.sources.geckoterminal.pools import parse_pools
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.reddit import Reddit
from orchestration.sources.rss import parse_feed
from orchestration.sources.validation import Rejected

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
MIDNIGHT = 1_736_035_200_000
KEY = "canary+x/key=5e0c2b71a9d4"


@pytest.mark.parametrize("odd", [10**400, -(10**400), float("inf"), float("-inf")], ids="abcd")
@pytest.mark.parametrize("place", [0, 1])
def test_a_chart_with_a_number_beyond_all_bounds_loses_that_point_only(odd, place):
    point = [odd, 5.0] if place == 0 else [MIDNIGHT, odd]
    good = [[MIDNIGHT - 86_400_000, 4.0]]
    payload = {"prices": [*good, point], "market_caps": [*good, point], "total_volumes": [*good, point]}

    fetched = parse_market_chart(payload, coin_id="a-coin", symbol="abc", now=NOW)

    assert fetched.frame["price_usd"].to_list() == [4.0]
    assert fetched.rejected


@pytest.mark.parametrize("series", ["market_caps", "total_volumes"])
def test_a_chart_with_a_cap_or_volume_beyond_all_bounds_loses_that_point_only(series):
    times = [MIDNIGHT - 86_400_000, MIDNIGHT]
    payload = {name: [[time, 4.0] for time in times] for name in ("prices", "market_caps", "total_volumes")}
    payload[series][1][1] = float("inf")

    fetched = parse_market_chart(payload, coin_id="a-coin", symbol="abc", now=NOW)

    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 3)]
    assert [each.reason for each in fetched.rejected] == [f"{series.removesuffix('s')} is not finite"]


@pytest.mark.parametrize("record", [None, [], "pool"])
def test_a_pool_that_is_no_object_is_refused_alone(record):
    assert len(parse_pools({"data": [record]}, found_as="new", now=NOW).rejected) == 1


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Other: 1", "t\ufffdk"])
def test_a_token_that_can_be_no_header_is_refused(token):
    with (
        answering(json.dumps({"access_token": token}).encode()) as http,
        pytest.raises(UnexpectedBodyError, match="no access token was given"),
    ):
        Reddit(http, key="key", secret=KEY).fetch_subreddit("bitcoin", coin_id=None, now=NOW)


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), 10**400, True, None, "x"], ids="abcdef")
def test_a_candle_at_no_time_ends_no_paging(odd):
    payload = {"data": {"attributes": {"ohlcv_list": [[odd, 1, 1, 1, 1, 1], [1_736_035_200, 1, 1, 1, 1, 1]]}}}

    assert len(read_candles(payload, pool_id="eth_0x0", now=NOW).rejected) == 1
    oldest_second(payload)  # raises nothing


def test_a_name_with_half_a_character_is_kept_with_a_whole_one():
    body = rb'[{"id": "a-coin", "symbol": "a\ud800", "name": "b"}]'
    with answering(body) as http:
        payload = http.get_json("https://provider.test/markets")

    fetched = parse_coin_list(payload, now=NOW)

    assert fetched.frame["symbol"].to_list() == ["a\ufffd"]


def test_a_record_too_deep_to_be_kept_is_refused_without_its_text():
    deep = []
    for _ in range(5000):
        deep = [deep]

    kept = Rejected.of("odd", deep)

    assert json.loads(kept.payload) == {"unreadable": "nested too deeply to be kept"}


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<?xml version="1.0"?><!doctype a [<!ENTITY x "y">]>',
    ],
)
def test_a_feed_with_entities_is_not_read(head):
    feed = f"{head}<rss><channel><item><title>&x;</title></item></channel></rss>"

    with pytest.raises(UnexpectedBodyError, match="rss: a-feed"):
        parse_feed(feed, "a-feed", now=NOW)


def test_a_feed_nested_without_end_is_read_or_refused():
    feed = "<rss>" + "<channel>" * 50_000

    with pytest.raises(UnexpectedBodyError):
        parse_feed(feed, "a-feed", now=NOW)


def answering(body: bytes, status: int = 200) -> HttpClient:
    return HttpClient(
        limits=HttpLimits(attempts=1),
        secrets=[KEY],
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)),
    )


FORMS = {
    "plain": KEY,
    "url": urllib.parse.quote(KEY, safe=""),
    "base64": base64.b64encode(KEY.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [200, 400, 403, 429, 500])
def test_a_key_that_comes_back_in_a_body_is_in_no_error_no_record_and_no_log(form, status, caplog):
    said = FORMS[form]
    body = json.dumps({"error": f"bad request /list?x={said}", "data": [{"request": said, "id": None}]}).encode()

    with caplog.at_level("DEBUG"), answering(body, status) as http:
        try:
            kept = Rejected.of(
                "odd", http.get_json(f"https://provider.test/list?api_key={KEY}", headers={"x-key": KEY})
            ).payload
        except SourceError as error:
            kept = f"{error} {error.__cause__} {error.__context__} {getattr(error, 'payload', '')}"

    for text in (kept, caplog.text, repr(http)):
        assert not any(each in text for each in FORMS.values())
    assert "***" in kept


def test_an_answer_to_a_form_keeps_the_token_it_gives():
    with answering(json.dumps({"access_token": KEY}).encode()) as http:
        assert http.post_form("https://provider.test/token", {"a": "b"})["access_token"] == KEY


def test_a_short_key_is_no_word_that_is_taken_out_of_answers():
    with HttpClient(
        secrets=["usd"], transport=httpx.MockTransport(lambda _: httpx.Response(200, json=["usd"]))
    ) as http:
        assert http.get_json("https://provider.test/list") == ["usd"]


@pytest.mark.parametrize("opened", ["1736035200000", "9" * 18, "-1736035200000"])
def test_a_candle_in_milliseconds_where_seconds_are_due_is_refused_and_the_others_land(opened):
    market = Market("BTC/USDT", "BTC-USDT", "BTC", "USDT", is_active=True)
    rows = [[str(1_735_948_800), "10", "11", "12", "9", "5", "52.5"], [opened, "10", "11", "12", "9", "5", "52.5"]]

    read = read_pages([Page(market, date(2024, 12, 1), rows)], venue="kucoin", now=NOW)

    assert read.frame["market_date"].to_list() == [date(2025, 1, 4)]
    assert len(read.rejected) == 1
