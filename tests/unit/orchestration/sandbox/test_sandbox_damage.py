"""Damage to bodies that are no JSON, and to JSON of unusual shapes."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree

import pytest

from orchestration.sandbox.damage import damage_times, damage_types, damage_values

CSV = b"observation_date,DGS10\n2024-01-02,3.95\n2024-01-03,\n2024-01-04,3.99\n"
FEED = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Wire</title><lastBuildDate>Mon, 06 Jan 2025 00:30:00 GMT</lastBuildDate>
<item><title><![CDATA[Coins & tokens <b>rise</b>]]></title><link>https://wire.example/1</link>
<pubDate>Sun, 05 Jan 2025 10:00:00 +0000</pubDate></item>
<item><title>Second</title><link>https://wire.example/2</link>
<pubDate>Sat, 04 Jan 2025 10:00:00 +0000</pubDate></item>
</channel></rss>"""


def rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode())))


def items(body: bytes) -> list[dict[str, str]]:
    tree = ElementTree.fromstring(body)  # noqa: S314 - made by the sandbox
    return [{leaf.tag: leaf.text or "" for leaf in item} for item in tree.iter("item")]


def test_wrong_types_in_csv_spare_the_header_and_some_lines():
    damaged = rows(damage_types(CSV, every=2, content_type="text/csv"))

    assert damaged == [
        ["observation_date", "DGS10"],
        ["not a date", "not a number"],
        ["2024-01-03", ""],
        ["not a date", "not a number"],
    ]


def test_impossible_values_in_csv_leave_the_dates():
    damaged = rows(damage_values(CSV, every=1, content_type="text/csv"))

    assert [row[0] for row in damaged[1:]] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert [row[1] for row in damaged[1:]] == ["-3.95", "", "NaN"]


def test_times_to_come_in_csv_leave_the_values():
    assert rows(damage_times(CSV, every=3, content_type="text/csv"))[1:] == [
        ["2034-01-02", "3.95"],
        ["2024-01-03", ""],
        ["2024-01-04", "3.99"],
    ]


def test_wrong_types_in_a_feed_take_titles_links_and_dates_of_some_items():
    first, second = items(damage_types(FEED, every=2, content_type="application/rss+xml"))

    assert first == {"title": "", "link": "", "pubDate": "not a date"}
    assert second == items(FEED)[1]


def test_times_to_come_in_a_feed_move_mail_dates():
    first, second = items(damage_times(FEED, every=2, content_type="text/xml; charset=utf-8"))

    assert first["pubDate"] == "Sun, 05 Jan 2035 10:00:00 +0000"
    assert first["title"] == "Coins & tokens <b>rise</b>"
    assert second["pubDate"] == "Sat, 04 Jan 2025 10:00:00 +0000"


def test_a_document_of_xml_without_records_is_damaged_as_a_whole():
    assert damage_types(b"<a><b>1</b><c>x</c></a>", every=5, content_type="text/xml") == (
        b"<a><b>not a number</b><c></c></a>"
    )


@pytest.mark.parametrize("damage", [damage_types, damage_values, damage_times])
@pytest.mark.parametrize("body", [b"", b"Please limit requests to one every 5 seconds", b"[]", b"{}", b"null", b"3"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "text/csv", "application/xml", ""])
def test_no_body_is_too_odd_to_be_damaged(damage, body: bytes, content_type: str):
    assert isinstance(damage(body, every=3, content_type=content_type), bytes)


def test_a_table_of_like_objects_has_a_record_for_each_name():
    tickers = {"error": [], "result": {name: {"c": ["1.5", "2"], "o": "1"} for name in ("A", "B", "C")}}

    result = json.loads(damage_types(json.dumps(tickers).encode(), every=2))["result"]

    assert result == {"A": {"c": [[], []], "o": []}, "B": {"c": ["1.5", "2"], "o": "1"}, "C": {"c": [[], []], "o": []}}


@pytest.mark.parametrize(
    "candle",
    [
        [1704067200, 41.0, 44.0, 42.0, 43.0, 1234.5],
        ["1704067200", "42.0", "43.0", "44.0", "41.0", "1234.5", "52000.1"],
        ["1704067200", "52000.1", "43.0", "44.0", "41.0", "42.0", "1234.5", "true"],
    ],
    ids=["coinbase", "kucoin", "gate"],
)
def test_a_candle_is_turned_upside_down_whatever_its_order(candle: list):
    damaged = json.loads(damage_values(json.dumps([candle] * 4).encode(), every=1))[3]

    high, low = (
        next(i for i, v in enumerate(candle) if float(v) == 44),
        next(i for i, v in enumerate(candle) if float(v) == 41),
    )
    assert float(damaged[high]) < float(damaged[low])
    assert [v for i, v in enumerate(damaged) if i not in (high, low)] == [
        v for i, v in enumerate(candle) if i not in (high, low)
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1704067200, 2019427200),
        (1704067200000, 2019427200000),
        ("1704067200", "2019427200"),
        ("2024-02-29T00:00:00.000000000Z", "2034-02-28T00:00:00.000000000Z"),
        (250, 250),
        (True, True),
    ],
)
def test_an_instant_is_known_by_its_size_or_form(value, expected):
    assert json.loads(damage_times(json.dumps([{"x": value}]).encode(), every=1)) == [{"x": expected}]
