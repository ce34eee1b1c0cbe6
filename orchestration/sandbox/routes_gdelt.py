"""GDELT DOC 2.0: articles and timelines; throttle and complaints come as text or pages under 200, nothing found is `{}`.

Belongs here: the wire format of api.gdeltproject.org. Does not: tone and counts (`news.py`).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.news import Coverage, Newsroom
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.gdeltproject.org",)
BLOCKED_STATUS = 403
LIMITS = (1, 5.0)
LIMITED_STATUS = 200

_SHORTEST_WORD = 3
_DAILY_FROM = timedelta(days=7)
_DEFAULT_SPAN = timedelta(days=90)
_MOST_ARTICLES = 250
_CONTROL_CHARACTER = "\x0b"
_SPANS = {"d": 1, "w": 7, "m": 30, "y": 365}


def error_body(status: int) -> str:
    """What GDELT says under an HTTP status: a sentence; under its rate limit always the same one."""
    if status == 429:
        return "Please limit requests to one every 5 seconds or contact the team for larger queries.\n"
    return f"Request failed with status {status}.\n"


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    return [Route("/api/v2/doc/doc", _Gdelt(served).doc)]


class _Gdelt:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served

    @cached_property
    def _coverage(self) -> Coverage:
        return Coverage(self._served.market)

    @cached_property
    def _newsroom(self) -> Newsroom:
        return Newsroom(self._served.market)

    async def doc(self, request: Request) -> Response:
        """One query in one mode."""
        params = request.query_params
        query = params.get("query", "")
        subject = " ".join(re.sub(r"\b\w+:\w+\b", " ", query).replace('"', " ").split()).lower()
        if len(subject) < _SHORTEST_WORD:
            return Response("The specified phrase is too short.\n", media_type="text/html; charset=utf-8")
        try:
            first, last = self._span(params.get("startdatetime"), params.get("enddatetime"), params.get("timespan"))
        except ValueError:
            return Response("Invalid query start date.\n", media_type="text/html; charset=utf-8")
        match params.get("mode", "artlist").lower():
            case "timelinetone":
                content = self._timeline(subject, query, first, last, series="Average Tone")
            case "timelinevolraw":
                content = self._timeline(subject, query, first, last, series="Article Count")
            case "timelinevol":
                content = self._timeline(subject, query, first, last, series="Volume Intensity")
            case "artlist":
                content = self._articles(subject, int(params.get("maxrecords", 75)))
            case mode:
                return Response(f"Invalid mode: {mode}.\n", media_type="text/html; charset=utf-8")
        return Response(
            json.dumps(content).replace("\\u000b", _CONTROL_CHARACTER), media_type="application/json; charset=utf-8"
        )

    def _span(self, start: str | None, end: str | None, timespan: str | None) -> tuple[date, date]:
        now = self._served.clock.now
        last = _stamp(end) if end else now
        if start:
            return _stamp(start).date(), min(last, now).date()
        span = _DEFAULT_SPAN
        if timespan:
            span = timedelta(days=int(timespan[:-1]) * _SPANS[timespan[-1]])
        return (last - span).date(), min(last, now).date()

    def _timeline(self, subject: str, query: str, first: date, last: date, *, series: str) -> dict[str, Any]:
        """Points by day, by hour where the span is short; a subject that nobody writes about gives nothing at all."""
        market = self._served.market
        first_day = max((first - market.settings.start).days, 0)
        last_day = min((last - market.settings.start).days, self._served.today())
        measured = self._coverage.measured(subject, last_day) if last_day >= first_day else None
        if measured is None or not measured[1][first_day:].any():
            return {}
        tone, articles, read = (values[first_day:] for values in measured)
        if self._served.today() == last_day:  # the running day as far as it has come
            articles = articles.copy()
            articles[-1] = np.floor(articles[-1] * self._served.clock.day_fraction)
        hours = 1 if last - first >= _DAILY_FROM else 24
        data = []
        for offset in range(len(tone)):
            day = market.settings.start + timedelta(days=first_day + offset)
            for hour in range(hours):
                point: dict[str, Any] = {"date": f"{day:%Y%m%d}T{hour:02d}0000Z"}
                if series == "Average Tone":
                    point["value"] = round(float(tone[offset]), 4)
                elif series == "Article Count":
                    point |= {"value": int(articles[offset]) // hours, "norm": int(read[offset]) // hours}
                else:
                    point["value"] = round(100.0 * float(articles[offset] / read[offset]), 4)
                data.append(point)
        title = f"{query}{_CONTROL_CHARACTER}" if subject == "cryptocurrency" else query
        resolution = "hour" if hours > 1 else "day"
        return {
            "query_details": {"title": title, "date_resolution": resolution},
            "timeline": [{"series": series, "data": data}],
        }

    def _articles(self, subject: str, most: int) -> dict[str, Any]:
        found = [
            {
                "url": f"https://{headline.feed}.example/{headline.number}",
                "url_mobile": "",
                "title": f"{headline.title}{_CONTROL_CHARACTER}",
                "seendate": f"{headline.published_at:%Y%m%dT%H%M%SZ}",
                "socialimage": "",
                "domain": f"{headline.feed}.example",
                "language": "English",
                "sourcecountry": "United States",
            }
            for feed in ("coindesk", "cointelegraph", "decrypt")
            for headline in self._newsroom.newest(feed, self._served.clock.now, 200)
            if subject in headline.title.lower()
        ]
        return {"articles": found[: min(most, _MOST_ARTICLES)]} if found else {}


def _stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
