"""GDELT DOC 2.0: how much is written about a subject, and in which tone, by day.

Belongs here: its requests and shapes. Does not: which subjects, and how often (`orchestration/lib/loads/news.py`).
Traps: one request in five seconds, and the refusal comes under 200 as a sentence; complaints about a query are sentences or
pages too; nothing found is `{}`, which is no zero; JSON may hold control characters; a span under a week comes by the hour, so
spans here are never shorter than a month; the tone of a day without articles is given as 0, which is no tone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedBodyError,
)
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.json_text import read_json
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://api.gdeltproject.org/api/v2"
TONE_DAILY: Final = find_dataset("gdelt", "tone_daily")
SHORTEST_SPAN: Final = timedelta(days=31)
SHORTEST_QUERY: Final = 3

_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f]")
_THROTTLED: Final = re.compile(r"limit requests|too many requests|rate limit", re.IGNORECASE)


def fetch_tone(
    http: HttpClient, subject: str, *, start: date, end: date, now: datetime, base_url: str = BASE_URL
) -> Fetched:
    """Fetch tone and counts of one subject, two requests.

    Args:
        http: Shared client; give it 5.5 s between requests.
        subject: Words that articles must hold together, at least three characters.
        start: First day wanted.
        end: Last day wanted.
        now: Instant of the request; the running day is left out.
        base_url: Address up to `/api/v2`.

    Returns:
        Rows of `gdelt/tone_daily`, oldest first; none for a subject that nobody writes about.

    Raises:
        SourceError: See `errors.py`.
    """
    first = min(start, end - SHORTEST_SPAN)
    query: Query = {
        "query": f'"{subject}" sourcelang:english',
        "format": "json",
        "startdatetime": f"{first:%Y%m%d}000000",
        "enddatetime": f"{end:%Y%m%d}235959",
    }
    url = f"{base_url.rstrip('/')}/doc/doc"
    tone, counts = (_ask(http, url, {**query, "mode": mode}) for mode in ("timelinetone", "timelinevolraw"))
    return parse_tone(tone, counts, subject=subject, start=start, end=end, now=now)


def _ask(http: HttpClient, url: str, params: Query) -> dict[str, Any]:
    try:
        return http.get_parsed(url, params=params, parse=read_answer)
    except RequestRejectedError as error:
        if error.status == 403:
            raise AccessRestrictedError(f"{error}: this network is refused; ask later or disable the source") from None
        raise


def read_answer(text: str) -> dict[str, Any]:
    """Read the JSON of an answer, control characters left out.

    Raises:
        RateLimitedError: It is the throttle.
        RequestRejectedError: It is a sentence about the query.
        UnexpectedBodyError: It is anything else.
    """
    stripped = text.strip()
    if not stripped:
        raise UnexpectedBodyError("gdelt: the answer is empty")
    if not stripped.startswith(("{", "[")):
        said = " ".join(stripped.split())[:200]
        if _THROTTLED.search(said):
            raise RateLimitedError(f"gdelt: limit under HTTP 200: {said}")
        raise RequestRejectedError(f"gdelt: the query is refused: {said}; change it", status=200)
    try:
        payload = read_json(_CONTROL_CHARACTERS.sub(" ", stripped))
    except ValueError as error:
        raise UnexpectedBodyError(f"gdelt: {len(text)} characters are no JSON ({error}): {stripped[:120]!r}") from None
    if not isinstance(payload, dict) or (payload and not isinstance(payload.get("timeline"), list)):
        raise UnexpectedBodyError(f"gdelt: answer holds no list `timeline`: {stripped[:200]!r}")
    return payload


def parse_tone(
    tone: Mapping[str, Any], counts: Mapping[str, Any], *, subject: str, start: date, end: date, now: datetime
) -> Fetched:
    """Join both timelines by day; a day that neither has gives no row.

    Raises:
        UnexpectedBodyError: A timeline is not by day.
    """
    rejected: list[Rejected] = []
    tones = _points(tone, subject, "timelinetone", rejected, now=now)
    volumes = _points(counts, subject, "timelinevolraw", rejected, now=now)
    rows = []
    for day in sorted(set(tones) | set(volumes)):
        if not start <= day <= min(end, last_finished_day(now)):
            continue
        try:
            rows.append(read_day(subject, day, tones.get(day), volumes.get(day)))
        except UnreadableValueError as error:
            record = {"query": subject, "day": day, "tone": tones.get(day), "volume": volumes.get(day)}
            rejected.append(Rejected.of(str(error), record))
    return validate(TONE_DAILY, rows, now=now, rejected=rejected)


def read_day(subject: str, day: date, tone: Any, volume: Any) -> dict[str, Any]:
    """Read the points of one day; the tone of a day without articles is missing.

    Raises:
        UnreadableValueError: A number cannot be what it should be.
    """
    articles = None if volume is None else read_number(volume.get("value"), column="articles")
    read = None if volume is None else read_number(volume.get("norm"), column="norm")
    if read is not None and (read <= 0 or (articles is not None and articles > read)):
        raise UnreadableValueError("norm is not above zero, or below the articles that match")
    value = None if tone is None or articles == 0 else read_number(tone.get("value"), column="tone")
    share = None if articles is None or read is None else articles / read
    return {"query": subject, "market_date": day, "tone": value, "articles": articles, "article_share": share}


def read_kept_day(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined day again, `{"query": .., "day": "YYYY-MM-DD", "tone": {..}, "volume": {..}}`; a lone point holds no day.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        raise UnreadableValueError("record lacks query")
    if "point" in payload:
        _read_stamp(payload["point"], now=now)  # the next load reads its day anew
        return []
    parts = {name: payload.get(name) for name in ("tone", "volume")}
    if not all(part is None or isinstance(part, dict) for part in parts.values()):
        raise UnreadableValueError("tone or volume is no point")
    try:
        day = date.fromisoformat(str(payload.get("day")))
    except ValueError:
        raise UnreadableValueError("day is no day") from None
    return [read_day(payload["query"], day, parts["tone"], parts["volume"])]


def _points(
    payload: Mapping[str, Any], subject: str, mode: str, rejected: list[Rejected], *, now: datetime
) -> dict[date, Mapping[str, Any]]:
    """Points of the first series by day."""
    series = payload.get("timeline") or []
    data = series[0].get("data") if series and isinstance(series[0], dict) else []
    points: dict[date, Mapping[str, Any]] = {}
    for point in data if isinstance(data, list) else []:
        try:
            stamped_at = _read_stamp(point, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"query": subject, "mode": mode, "point": point}))
            continue
        if stamped_at.time() != datetime.min.time() or stamped_at.date() in points:
            raise UnexpectedBodyError(
                f"gdelt: {mode} of {subject!r} is not by day at {stamped_at}; ask for a longer span"
            )
        points[stamped_at.date()] = point
    return points


def _read_stamp(point: Any, *, now: datetime) -> datetime:
    if not isinstance(point, dict) or not isinstance(point.get("date"), str):
        raise UnreadableValueError("point has no date")
    try:
        stamped_at = datetime.strptime(point["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise UnreadableValueError("date is no timestamp") from None
    refuse_future(stamped_at, now=now, column="date")
    return stamped_at
