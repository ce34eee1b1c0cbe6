"""GDELT: timelines, sentences under 200, nothing that is no zero, control characters."""

import json
from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.errors import RateLimitedError, RequestRejectedError, SourceError, UnexpectedBodyError
from orchestration.sources.gdelt import fetch_tone, parse_tone, read_answer, read_kept_day
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
START, END = date(2025, 1, 1), date(2025, 1, 5)
THROTTLE = "Please limit requests to one every 5 seconds or contact the team for larger queries."


def timeline(series: str, *points: dict) -> dict:
    # https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/, JSON of the timeline modes
    return {
        "query_details": {"title": '"bitcoin"', "date_resolution": "day"},
        "timeline": [{"series": series, "data": list(points)}],
    }


def tone(day: int, value: object = -1.5, **more) -> dict:
    return {"date": f"202501{day:02d}T000000Z", "value": value, **more}


def count(day: int, value: object = 120, norm: object = 100_000) -> dict:
    return {"date": f"202501{day:02d}T000000Z", "value": value, "norm": norm}


def parsed(tones: dict, counts: dict):
    return parse_tone(tones, counts, subject="bitcoin", start=START, end=END, now=NOW)


def serve(tones: object, counts: object):
    """A server that answers by mode; text as it is, everything else as JSON."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        content = tones if request.url.params["mode"] == "timelinetone" else counts
        return httpx.Response(200, text=content if isinstance(content, str) else json.dumps(content))

    return answer, seen


def test_tone_and_counts_are_joined_by_day():
    answer, seen = serve(
        timeline("Average Tone", tone(4), tone(5, 0.25)), timeline("Article Count", count(4), count(5, 80))
    )

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        fetched = fetch_tone(http, "bitcoin", start=START, end=END, now=NOW, base_url="http://127.0.0.1:1/x/api/v2")

    assert fetched.frame.rows() == [
        ("bitcoin", date(2025, 1, 4), -1.5, 120.0, 0.0012),
        ("bitcoin", date(2025, 1, 5), 0.25, 80.0, 0.0008),
    ]
    assert [url.params["mode"] for url in seen] == ["timelinetone", "timelinevolraw"]
    assert seen[0].path == "/x/api/v2/doc/doc"
    assert seen[0].params["query"] == '"bitcoin" sourcelang:english'
    # A span under a week would come by the hour.
    assert (seen[0].params["startdatetime"], seen[0].params["enddatetime"]) == ("20241205000000", "20250105235959")


def test_nothing_found_is_no_row_and_no_zero():
    answer, _ = serve({}, {})

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        fetched = fetch_tone(http, "nosuchtoken", start=START, end=END, now=NOW)

    assert fetched.frame.is_empty()
    assert fetched.rejected == ()


def test_a_day_that_one_timeline_lacks_has_a_null_there():
    fetched = parsed(timeline("t", tone(3)), timeline("c", count(4)))

    assert fetched.frame.rows() == [
        ("bitcoin", date(2025, 1, 3), -1.5, None, None),
        ("bitcoin", date(2025, 1, 4), None, 120.0, 0.0012),
    ]


def test_the_tone_of_a_day_without_articles_is_missing():
    fetched = parsed(timeline("t", tone(4, 0)), timeline("c", count(4, 0)))

    assert fetched.frame.rows() == [("bitcoin", date(2025, 1, 4), None, 0.0, 0.0)]


def test_the_running_day_and_days_not_asked_for_are_left_out():
    fetched = parsed(timeline("t", {"date": "20241231T000000Z", "value": 1.0}, tone(5), tone(6)), {})

    assert fetched.frame["market_date"].to_list() == [date(2025, 1, 5)]


@pytest.mark.parametrize(
    ("tones", "counts", "reason"),
    [
        (tone(4, "high"), count(4), "tone is text, not a number"),
        (tone(4, -400), count(4), "tone is outside -100-100"),
        (tone(4), count(4, -1), "articles or article_share is negative"),
        (tone(4), count(4, 120, 0), "norm is not above zero, or below the articles that match"),
        (tone(4), count(4, 120, 100), "norm is not above zero, or below the articles that match"),
        ({"value": 1.0}, count(5), "point has no date"),
        ({"date": "2025-01-04", "value": 1.0}, count(5), "date is no timestamp"),
        ({"date": "20350104T000000Z", "value": 1.0}, count(5), "date lies in the future"),
    ],
)
def test_malformed_days_are_refused_and_the_others_read(tones, counts, reason):
    fetched = parsed(timeline("t", tones, tone(3)), timeline("c", counts, count(3)))

    assert date(2025, 1, 3) in fetched.frame["market_date"].to_list()
    assert [each.reason for each in fetched.rejected] == [reason]


def test_a_timeline_by_the_hour_is_refused():
    hourly = timeline("t", {"date": "20250104T010000Z", "value": 1.0})

    with pytest.raises(UnexpectedBodyError, match="not by day"):
        parsed(hourly, {})


def test_control_characters_are_left_out():
    text = json.dumps(timeline("Average Tone", tone(4))).replace('\\"bitcoin\\"', "bit\x0bcoin\x01")

    assert read_answer(text)["timeline"][0]["series"] == "Average Tone"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (THROTTLE, RateLimitedError),
        ("Your query was too short or too long.", RequestRejectedError),
        ("The specified phrase is too short.", RequestRejectedError),
        ("", UnexpectedBodyError),
        ('{"timeline": [{"series"', UnexpectedBodyError),
        ('{"articles": []}', UnexpectedBodyError),
        ("[]", UnexpectedBodyError),
    ],
)
def test_what_is_no_timeline_is_refused(text, error):
    with pytest.raises(error):
        read_answer(text)


def test_the_throttle_under_200_is_asked_again_and_a_complaint_is_not():
    answers = [THROTTLE, "{}", "{}"]
    pauses: list[float] = []
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, text=answers.pop(0) if answers else "The specified phrase is too short.")

    with HttpClient(transport=httpx.MockTransport(answer), sleep=pauses.append, jitter=lambda: 0.0) as http:
        fetch_tone(http, "bitcoin", start=START, end=END, now=NOW)
        throttled = len(seen)
        with pytest.raises(RequestRejectedError, match="too short"):
            fetch_tone(http, "xy", start=START, end=END, now=NOW)

    assert (throttled, len(seen)) == (3, 4)
    assert pauses == [5.0]


def test_a_page_is_refused():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text="<html><body>error</body></html>"))

    with (
        HttpClient(transport=transport, limits=HttpLimits(attempts=1)) as http,
        pytest.raises(SourceError, match="HTML"),
    ):
        fetch_tone(http, "bitcoin", start=START, end=END, now=NOW)


def test_what_was_refused_can_be_read_again():
    kept = {"query": "bitcoin", "day": "2025-01-04", "tone": tone(4), "volume": count(4)}

    assert [(row["tone"], row["articles"]) for row in read_kept_day(kept, NOW)] == [(-1.5, 120.0)]
    assert read_kept_day({"query": "bitcoin", "mode": "timelinetone", "point": tone(4)}, NOW) == []
