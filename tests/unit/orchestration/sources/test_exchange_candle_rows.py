"""Raw candles of each venue as rows: documented shapes, odd records, and the fast way equal to the slow one."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.sources.exchanges.candle_formats import FORMATS
from orchestration.sources.exchanges.candle_rows import Page, land_ready, read_candle, read_kept_candle, read_pages
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.exchanges.wire import TextPage
from orchestration.sources.validation import UnreadableValueError

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
DAY, FIRST = date(2025, 1, 5), date(2025, 1, 1)
BTC = Market("BTC/USDT", "BTCUSDT", "BTC", "USDT", is_active=True)
MS, SECONDS = 1736035200000, 1736035200

# One candle of 2025-01-05 in each venue's documented columns: open 10, high 12, low 9, close 11, 5 tokens, turnover 52.5.
DOCUMENTED = {
    "binance": [MS, "10", "12", "9", "11", "5", MS + 86_399_999, "52.5", 10, "2", "21", "0"],
    "okx": [str(MS), "10", "12", "9", "11", "5", "52.5", "52.5", "1"],
    "coinbase": [SECONDS, 9, 12, 10, 11, 5],
    "kucoin": [str(SECONDS), "10", "11", "12", "9", "5", "52.5"],
    "gate": [str(SECONDS), "52.5", "11", "12", "9", "10", "5", "true"],
    "kraken": [SECONDS, "10", "12", "9", "11", "10.5", "5", 10],
    "bitstamp": {
        "timestamp": str(SECONDS), "open": "10", "high": "12", "low": "9", "close": "11", "volume": "5",
    },
}  # fmt: skip
TURNOVER = {"coinbase": 55.0, "bitstamp": 55.0}  # tokens times close, where a venue does not say


def kline(day: date = DAY, *, opened="10", high="12", low="9", close="11", volume="5", quote_volume="52.5") -> list:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    return [start, opened, high, low, close, volume, start + 86_399_999, quote_volume, 10, "2", "21", "0"]


def read(rows, *, venue="binance", first=FIRST):
    return land_ready([read_pages([Page(BTC, first, rows)], venue=venue, now=NOW)], venue=venue, now=NOW)


# A page stays text where its candles are lists; Bitstamp's are objects.
FORMS = [(venue, form) for venue in VENUES for form in ("text", "objects")]


@pytest.mark.parametrize(
    ("venue", "form"),
    [(venue, form) for venue, form in FORMS if form == "objects" or not isinstance(DOCUMENTED[venue], dict)],
)
def test_documented_candles_are_read(venue, form):
    rows = [DOCUMENTED[venue]]
    if form == "text":
        rows = TextPage(json.dumps(rows))

    fetched = read(rows, venue=venue)

    assert fetched.rejected == ()
    row = fetched.frame.row(0, named=True)
    assert (row["open_quote"], row["high_quote"], row["low_quote"], row["close_quote"]) == (10.0, 12.0, 9.0, 11.0)
    assert (row["market_date"], row["volume_base"]) == (DAY, 5.0)
    assert row["volume_quote"] == TURNOVER.get(venue, 52.5)


@pytest.mark.parametrize("venue", VENUES)
def test_a_kept_record_is_read_as_it_was_from_the_page(venue):
    rows = read_kept_candle(venue, {"market_id": "BTC/USDT", "candle": DOCUMENTED[venue]}, NOW)

    expected = read([DOCUMENTED[venue]], venue=venue).frame.row(0, named=True)
    assert [dict(row) for row in rows] == [expected]


def test_a_kept_record_of_a_running_day_gives_no_row():
    assert read_kept_candle("binance", {"market_id": "BTC/USDT", "candle": kline(date(2025, 1, 6))}, NOW) == []


@pytest.mark.parametrize(
    ("candle", "reason"),
    [
        (kline(opened="0"), "is not above zero"),
        (kline(close="NaN"), "close_quote is not finite"),
        (kline(close="Infinity"), "close_quote is not finite"),
        (kline(close="cheap"), "close_quote is text that reads as no number"),
        (kline(close=None), "close_quote is missing or not readable"),
        (kline(close=True), "close_quote is a bool, not a number"),
        (kline(high="8", low="9"), "high_quote is below low_quote"),
        (kline(close="12.1"), "close_quote is outside"),
        (kline(volume="-1"), "is negative"),
        (kline(date(2025, 3, 5)), "open time lies in the future"),
        ([1735689600001, *kline(date(2025, 1, 1))[1:]], "open time is not 00:00 UTC"),
        ({"open": 1}, "candle is no list of at least 8 values"),
        ([1735689600000, "1"], "candle is no list of at least 8 values"),
        (None, "candle is no list of at least 8 values"),
        (kline(opened=["10"]), "open_quote is a list, not a number"),
    ],
)
def test_a_malformed_candle_is_refused_and_its_neighbours_land(candle, reason):
    fetched = read(TextPage(json.dumps([kline(date(2025, 1, 4)), candle])))

    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 4)]
    assert [reason in each.reason for each in fetched.rejected] == [True]


def test_a_missing_volume_is_null_and_no_reason_to_refuse():
    fetched = read(TextPage(json.dumps([kline(volume=None, quote_volume=None)])))

    assert fetched.rejected == ()
    assert fetched.frame.row(0, named=True)["volume_base"] is None


def test_the_running_day_and_days_before_the_wanted_ones_are_left_out():
    days = [FIRST - timedelta(days=1), FIRST, DAY, date(2025, 1, 6)]

    fetched = read(TextPage(json.dumps([kline(day) for day in days])))

    assert fetched.frame["market_date"].to_list() == [FIRST, DAY]
    assert fetched.rejected == ()


def test_a_close_at_the_rim_of_rounding_is_accepted():
    assert read([kline(close="12.000000001")]).frame["close_quote"].to_list() == [12.000000001]


def test_rows_of_one_day_that_disagree_are_both_refused_and_equal_ones_are_one():
    fetched = read([kline(), kline(), kline(FIRST), kline(FIRST, close="10.5")])

    assert fetched.frame["market_date"].to_list() == [DAY]
    assert len(fetched.rejected) == 2


def test_text_that_is_no_json_costs_its_page_only():
    pages = [Page(BTC, FIRST, TextPage("[[broken]]")), Page(BTC, FIRST, TextPage(json.dumps([kline()])))]

    result = read_pages(pages, venue="binance", now=NOW)

    assert result.frame.height == 1
    assert [each.reason for each in result.rejected] == ["page is no list of candles"]
    assert [span.rows for span in result.spans] == [0, 1]


def test_spans_tell_what_each_page_reaches_over():
    pages = [
        Page(BTC, FIRST, TextPage("[]")),
        Page(BTC, FIRST, TextPage(json.dumps([kline(DAY), kline(FIRST)]))),
        Page(BTC, FIRST, [kline(FIRST), kline(DAY, close="x")]),
    ]

    spans = read_pages(pages, venue="binance", now=NOW).spans

    assert [(span.rows, span.oldest, span.newest) for span in spans] == [
        (0, None, None),
        (2, FIRST, DAY),
        (2, FIRST, FIRST),
    ]


texts = st.one_of(
    st.floats(min_value=1e-12, max_value=1e12).map(repr),
    st.floats(min_value=1e-12, max_value=1e12).map(lambda value: f"{value:.8f}"),
    st.floats(min_value=1e-9, max_value=1e9),
    st.integers(0, 10**9),
    st.sampled_from(["NaN", "-1", "", " 7", "1_000", "0x10", "1e5", None, False, [], {}]),
)
columns = st.lists(texts, min_size=7, max_size=7)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), columns), max_size=6), st.sampled_from(sorted(VENUES)))
def test_the_fast_way_decides_about_no_value_other_than_the_slow_one(rows, venue):
    form = FORMATS[venue]
    records = []
    for day, values in rows:
        record = [None] * form.width
        record[0] = int(datetime(2024, 12, 31, tzinfo=UTC).timestamp() + day * 86_400) * form.per_second
        for position, value in enumerate(values, start=1):
            if position < form.width:
                record[position] = value
        records.append(record)

    fast = read_pages([Page(BTC, FIRST, TextPage(json.dumps(records)))], venue=venue, now=NOW)

    slow, refused = [], 0
    for record in records:
        try:
            row = read_candle(record, venue=venue, market=BTC, now=NOW)
        except UnreadableValueError:
            refused += 1
        else:
            slow.append(row)
    expected = [row for row in slow if FIRST <= row["market_date"] <= DAY]
    schema = dict(VENUES[venue].dataset("candles_daily").columns)
    assert fast.frame.equals(pl.DataFrame(expected, schema=schema, orient="row"))
    assert len(fast.rejected) == refused
