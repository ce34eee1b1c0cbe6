"""FRED's CSV: documented shapes, periods, holidays, and bodies that are no series."""

from datetime import UTC, date, datetime

import httpx
import pytest

from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.fred import DAILY, MONTHLY, SERIES, fetch_series, parse_series, read_kept_line
from orchestration.sources.http import HttpClient, HttpLimits

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)


def test_days_are_read_and_holidays_give_no_row():
    text = "observation_date,DGS10\n2024-12-24,4.59\n2024-12-25,\n2024-12-26,4.58\n"

    fetched = parse_series(text, "DGS10", now=NOW)

    assert fetched.dataset is DAILY
    assert fetched.frame.rows() == [
        ("DGS10", date(2024, 12, 24), 4.59, "fred"),
        ("DGS10", date(2024, 12, 26), 4.58, "fred"),
    ]
    assert fetched.rejected == ()


def test_older_downloads_say_date_and_point():
    fetched = parse_series("DATE,VIXCLS\r\n2024-12-24,14.27\r\n2024-12-25,.\r\n", "VIXCLS", now=NOW)

    assert fetched.frame["value"].to_list() == [14.27]


def test_a_month_is_dated_by_its_last_day():
    text = "observation_date,M2SL\n2024-02-01,20815.3\n2024-11-01,21441.8\n"

    fetched = parse_series(text, "M2SL", now=NOW)

    assert fetched.dataset is MONTHLY
    assert fetched.frame["market_date"].to_list() == [date(2024, 2, 29), date(2024, 11, 30)]


@pytest.mark.parametrize(
    ("series_id", "first"), [("M2SL", "2024-12-01"), ("DGS10", "2024-12-20"), ("WALCL", "2024-12-20")]
)
def test_the_request_begins_at_the_first_day_wanted(series_id, first):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, text=f"observation_date,{series_id}\n")

    with HttpClient(transport=httpx.MockTransport(answer)) as http:
        fetched = fetch_series(http, series_id, start=date(2024, 12, 20), now=NOW, base_url="http://127.0.0.1:1/x")

    assert seen[0].path == "/x/graph/fredgraph.csv"
    assert dict(seen[0].params) == {"id": series_id, "cosd": first}
    assert fetched.frame.is_empty()


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE html><html>no such series</html>\n",
        "observation_date,DGS2\n2024-12-24,4.5\n",
        "observation_date,DGS10,DGS2\n",
        "",
        "\n",
        "observation_date,DGS10\n2024-12-24,4.5",  # cut off: 4.59 reads as 4.5
        "Limit reached\n",
    ],
)
def test_what_is_no_whole_series_is_refused_and_asked_again(text):
    answers = [httpx.Response(200, text=text), httpx.Response(200, text="observation_date,DGS10\n2024-12-24,4.59\n")]
    transport = httpx.MockTransport(lambda request: answers.pop(0))

    with HttpClient(transport=transport, sleep=lambda pause: None) as http:
        fetched = fetch_series(http, "DGS10", start=date(2024, 12, 1), now=NOW)

    assert fetched.frame["value"].to_list() == [4.59]


def test_a_series_that_does_not_exist_is_an_error_that_names_it():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text="<html><body>Not found</body></html>"))

    with (
        HttpClient(transport=transport, limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="id=DGS10"),
    ):
        fetch_series(http, "DGS10", start=date(2024, 12, 1), now=NOW)


@pytest.mark.parametrize(
    ("series_id", "line", "reason"),
    [
        ("DGS10", "2024-12-24,high", "value is text that reads as no number"),
        ("DGS10", "2024-12-24,NaN", "value is not finite"),
        ("DGS10", "24.12.2024,4.5", "observation_date is no day"),
        ("DGS10", "2034-12-22,4.5", "market_date lies in the future"),
        ("DGS10", "2024-12-24,4.5,4.6", "line is no pair of day and figure"),
        ("DGS10", "2024-12-24,-4.5", "value is not above zero for a rate or an index"),
        ("DGS10", "2024-12-24,459", "value is outside what the series can be"),
        ("RRPONTSYD", "2024-12-24,-1", "value is negative for an amount"),
        ("WALCL", "2024-12-25,0", "value is not above zero for a rate or an index"),
        ("M2SL", "2025-02-01,21441.8", "market_date lies in the future"),
    ],
)
def test_malformed_lines_are_refused_and_the_others_read(series_id, line, reason):
    good = "2024-11-01,5"

    fetched = parse_series(f"observation_date,{series_id}\n{good}\n{line}\n", series_id, now=NOW)

    assert fetched.frame["value"].to_list() == [5.0]
    assert [each.reason for each in fetched.rejected] == [reason]


@pytest.mark.parametrize(("series_id", "value"), [("T10Y2Y", -1.08), ("DFII10", -1.19), ("RRPONTSYD", 0.0)])
def test_figures_that_may_be_zero_or_negative_are_kept(series_id, value):
    fetched = parse_series(f"observation_date,{series_id}\n2024-12-24,{value}\n", series_id, now=NOW)

    assert fetched.frame["value"].to_list() == [value]


def test_equal_lines_are_one_and_disagreeing_ones_none():
    lines = "2024-12-23,4.5\n2024-12-23,4.5\n2024-12-24,4.5\n2024-12-24,4.6\n"

    fetched = parse_series(f"observation_date,DGS10\n{lines}", "DGS10", now=NOW)

    assert fetched.frame["market_date"].to_list() == [date(2024, 12, 23)]
    assert [each.reason for each in fetched.rejected] == ["rows of one key disagree within one answer"] * 2


def test_what_was_refused_can_be_read_again():
    rows = read_kept_line({"series_id": "M2SL", "line": ["2024-11-01", "21441.8"]}, NOW)

    assert [(row["market_date"], row["value"]) for row in rows] == [(date(2024, 11, 30), 21441.8)]
    assert read_kept_line({"series_id": "DGS10", "line": ["2024-12-25", ""]}, NOW) == []


def test_every_series_belongs_to_the_macro_datasets():
    assert {dataset.label for dataset in SERIES.values()} == {
        "fred/series_daily",
        "fred/series_weekly",
        "fred/series_monthly",
    }
