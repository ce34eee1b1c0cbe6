"""FRED, keyless CSV: rates, the curve, the dollar, volatility, money. One request a series, one after the other.

Belongs here: which series of which release, its request and shape. Does not: when figures are known
(`dbt_project/seeds/publication_lags.csv`).
Traps: a holiday is an empty cell, `.` in older files; the first column was called DATE once; a series that does not exist is
an HTML page; concurrent requests time out; a month is stamped with its first day although it describes all of it; figures of
money are revised, and only the newest are served. Cite FRED; some series carry the copyright of others.
"""

from __future__ import annotations

import csv
import io
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from orchestration.sources.datasets import Dataset, find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    validate,
)

BASE_URL: Final = "https://fred.stlouisfed.org"
DAILY: Final = find_dataset("fred", "series_daily")
WEEKLY: Final = find_dataset("fred", "series_weekly")
MONTHLY: Final = find_dataset("fred", "series_monthly")
FEED: Final = "fred"

SERIES: Final[Mapping[str, Dataset]] = {
    "DFF": DAILY,  # effective federal funds rate, %
    "DGS10": DAILY,  # 10-year Treasury yield, %
    "DGS2": DAILY,  # 2-year Treasury yield, %
    "T10Y2Y": DAILY,  # 10-year less 2-year, percentage points
    "T10YIE": DAILY,  # 10-year breakeven inflation, %
    "DFII10": DAILY,  # 10-year real yield, %
    "VIXCLS": DAILY,  # implied volatility of the S&P 500, %
    "DTWEXBGS": WEEKLY,  # broad dollar, January 2006 = 100; days, released a week at a time
    "WALCL": WEEKLY,  # assets of the Federal Reserve, millions of USD, Wednesdays
    "RRPONTSYD": WEEKLY,  # overnight reverse repos, billions of USD
    "M2SL": MONTHLY,  # money M2, billions of USD
}
"""Datasets by series; a dataset is a group of releases with one publication lag."""

HEADERS: Final = ("observation_date", "date")
MISSING: Final = ("", ".")


def fetch_series(http: HttpClient, series_id: str, *, start: date, now: datetime, base_url: str = BASE_URL) -> Fetched:
    """Fetch one series.

    Args:
        http: Shared client; give it a second between requests.
        series_id: One of `SERIES`.
        start: First day wanted.
        now: Instant of the request; periods that have not ended are left out.
        base_url: Address without a path.

    Returns:
        Rows of the series' dataset with feed `fred`, oldest first.

    Raises:
        SourceError: See `errors.py`.
    """
    first = start.replace(day=1) if SERIES[series_id] is MONTHLY else start
    params: Query = {"id": series_id, "cosd": first.isoformat()}

    def parse(text: str) -> Fetched:
        return parse_series(text, series_id, now=now)

    return http.get_parsed(f"{base_url.rstrip('/')}/graph/fredgraph.csv", params=params, parse=parse)


def parse_series(text: str, series_id: str, *, now: datetime) -> Fetched:
    """Turn the CSV of one series into rows; an empty cell gives none.

    Raises:
        UnexpectedBodyError: It has another header, or was cut off.
    """
    # A number that is cut off reads as another number, so the end of the last line must be there.
    if not text.endswith("\n"):
        raise UnexpectedBodyError(f"fred: {series_id} is cut off after {len(text)} characters: {text[-60:]!r}")
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = [cell.strip() for cell in next(lines, [])]
    if len(header) != 2 or header[0].lower() not in HEADERS or header[1] != series_id:
        raise UnexpectedBodyError(
            f"fred: {series_id} has the header {','.join(header)[:100]!r}; is there such a series?"
        )
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for line in lines:
        try:
            row = read_observation(line, series_id)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"series_id": series_id, "line": line}))
            continue
        is_running = row is not None and row["market_date"] == now.astimezone(UTC).date()
        if row is not None and not is_running:
            rows.append(row)
    return validate(SERIES[series_id], rows, now=now, rejected=rejected)


def read_observation(line: object, series_id: str) -> dict[str, Any] | None:
    """Read one line; None where its cell is empty.

    Raises:
        UnreadableValueError: It is malformed.
    """
    if not isinstance(line, list) or len(line) != 2 or not all(isinstance(cell, str) for cell in line):
        raise UnreadableValueError("line is no pair of day and figure")
    try:
        day = date.fromisoformat(line[0].strip())
    except ValueError:
        raise UnreadableValueError("observation_date is no day") from None
    figure = line[1].strip()
    if figure in MISSING:
        return None
    if SERIES[series_id] is MONTHLY:
        day = day.replace(day=monthrange(day.year, day.month)[1])
    value = read_number(figure, column="value", text_allowed=True)
    return {"series_id": series_id, "market_date": day, "value": value, "feed": FEED}


def read_kept_line(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined line again, `{"series_id": .., "line": [day, figure]}`.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    series_id = payload.get("series_id") if isinstance(payload, dict) else None
    if not isinstance(series_id, str) or series_id not in SERIES:
        raise UnreadableValueError("record lacks series_id")
    row = read_observation(payload.get("line"), series_id)
    return [] if row is None or row["market_date"] > last_finished_day(now) else [row]
