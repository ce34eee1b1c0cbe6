"""alternative.me: text fields, stamped days, and errors under 200."""

from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.alternative_me import fetch_fear_greed, parse_fear_greed
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


def day(stamp: date, value: object = "70", **more) -> dict:
    seconds = int(datetime(stamp.year, stamp.month, stamp.day, tzinfo=UTC).timestamp())
    return {"value": value, "value_classification": "Greed", "timestamp": str(seconds), **more}


def answer_of(*records: object) -> dict:
    return {"name": "Fear and Greed Index", "data": list(records), "metadata": {"error": None}}


def test_days_come_oldest_first_without_the_running_one():
    payload = answer_of(
        day(date(2025, 1, 6), time_until_update="74231"), day(date(2025, 1, 5), "53"), day(date(2025, 1, 4))
    )

    fetched = parse_fear_greed(payload, now=NOW)

    assert fetched.frame.rows() == [(date(2025, 1, 4), 70, "Greed"), (date(2025, 1, 5), 53, "Greed")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (day(date(2025, 1, 5), "101"), "value is outside 0-100"),
        (day(date(2025, 1, 5), "high"), "value is text that reads as no number"),
        (day(date(2025, 1, 5), None), "value is no whole number"),
        (day(date(2025, 1, 5), "50.5"), "value is no whole number"),
        (day(date(2025, 2, 5)), "timestamp lies in the future"),
        ({"value": "50", "timestamp": "05-01-2025"}, "timestamp is text that reads as no number"),
        ("text", "record is no object"),
    ],
)
def test_malformed_days_are_refused(record, reason):
    fetched = parse_fear_greed(answer_of(record), now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


def test_the_request_asks_for_everything_by_default():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json=answer_of(day(date(2025, 1, 5))))

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        fetched = fetch_fear_greed(http, now=NOW, base_url="http://127.0.0.1:1/api.alternative.me")

    assert (seen[0].path, seen[0].params["limit"]) == ("/api.alternative.me/fng/", "0")
    assert fetched.frame.height == 1


@pytest.mark.parametrize("payload", [{"metadata": {"error": None}}, {"data": [], "metadata": {"error": "limit"}}, []])
def test_errors_under_200_are_refused(payload):
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=payload))

    with HttpClient(transport=transport, limits=HttpLimits(attempts=1)) as http, pytest.raises(UnexpectedBodyError):
        fetch_fear_greed(http, now=NOW)
