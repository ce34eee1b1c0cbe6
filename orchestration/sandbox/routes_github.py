"""GitHub REST: repositories, weekly commit statistics that are not ready at first, commits page by page.

A repository that moved answers 301 under its old name, a deleted one 404, an empty one 204. Without a token an address has
60 requests an hour; a limit that is used up comes as 403 with `x-ratelimit-remaining: 0`.

Belongs here: the wire format of api.github.com. Does not: repositories and commits (`developers.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.developers import DeveloperActivity, Repository
from orchestration.sandbox.served import ServedMarket

HOSTS = ("api.github.com",)
BLOCKED_STATUS = 403
REQUESTS_AN_HOUR, REQUESTS_AN_HOUR_WITH_TOKEN = 60, 5_000
LIMITS = (REQUESTS_AN_HOUR_WITH_TOKEN, 3_600.0)

_WEEKS = 52
_DEFAULT_PAGE, _LARGEST_PAGE = 30, 100
_MERGE_EVERY = 10
_DOCUMENTATION = "https://docs.github.com/rest"

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def error_body(status: int) -> dict[str, Any]:
    """What GitHub says under an HTTP status."""
    said = {
        403: "Sorry. This network has been blocked.",
        404: "Not Found",
        429: "API rate limit exceeded for 127.0.0.1.",
    }
    return {"message": said.get(status, "Server Error"), "documentation_url": _DOCUMENTATION}


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below the host."""
    github = _GitHub(served)
    parts = {
        "": github.repository,
        "/stats/commit_activity": github.commit_activity,
        "/stats/code_frequency": github.code_frequency,
        "/commits": github.commits,
    }
    return [
        Route(f"{root}{part}", github.limited(answer))
        for root in ("/repos/{owner}/{name}", "/repositories/{number:int}")
        for part, answer in parts.items()
    ]


class _GitHub:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._computed: set[int] = set()
        self._asked: dict[tuple[bool, datetime], int] = {}

    @cached_property
    def _activity(self) -> DeveloperActivity:
        return DeveloperActivity(self._served.market)

    @cached_property
    def _by_name(self) -> dict[str, Repository]:
        known = self._activity.repositories
        return {each.name.lower(): each for each in known} | {each.full_name.lower(): each for each in known}

    @cached_property
    def _by_number(self) -> dict[int, Repository]:
        return {each.number: each for each in self._activity.repositories}

    def limited(self, answer: Callable[[Request, Repository, int], Response]) -> _Handler:
        """A handler that counts the request, then finds the repository."""

        async def handle(request: Request) -> Response:
            has_token = request.headers.get("authorization", "").lower().startswith("bearer ")
            limit = REQUESTS_AN_HOUR_WITH_TOKEN if has_token else REQUESTS_AN_HOUR
            hour = self._served.clock.now.replace(minute=0, second=0, microsecond=0)
            used = self._asked.get((has_token, hour), 0)
            headers = {
                "x-ratelimit-limit": str(limit),
                "x-ratelimit-remaining": str(max(limit - used - 1, 0)),
                "x-ratelimit-used": str(min(used + 1, limit)),
                "x-ratelimit-reset": str(int((hour + timedelta(hours=1)).timestamp())),
            }
            if used >= limit:
                return _json(error_body(429), 403, headers)
            self._asked[has_token, hour] = used + 1
            response = self._found(request, answer)
            response.headers.update(headers)
            return response

        return handle

    def _found(self, request: Request, answer: Callable[[Request, Repository, int], Response]) -> Response:
        path = request.path_params
        repository = (
            self._by_number.get(path["number"])
            if "number" in path
            else self._by_name.get(f"{path['owner']}/{path['name']}".lower())
        )
        yesterday = self._served.today() - 1
        if repository is None or repository.is_gone or not self._served.is_born(repository.index):
            return _json(error_body(404), 404)
        if "owner" in path and f"{path['owner']}/{path['name']}".lower() != repository.full_name.lower():
            root, rest = request.url.path.split(f"/repos/{path['owner']}/{path['name']}", 1)
            location = str(request.url.replace(path=f"{root}/repositories/{repository.number}{rest}"))
            return _json({"message": "Moved Permanently", "url": location}, 301, {"Location": location})
        return answer(request, repository, yesterday)

    def repository(self, request: Request, repository: Repository, yesterday: int) -> Response:
        """What GitHub says of a repository."""
        activity, index = self._activity, repository.index
        stars = activity.stars(index, yesterday)
        owner, _, name = repository.full_name.partition("/")
        past = activity.commits(index)[: 0 if repository.is_empty else yesterday - activity.first_day + 1]
        pushed = past.nonzero()[0].tolist()
        content = {
            "id": repository.number,
            "name": name,
            "full_name": repository.full_name,
            "owner": {"login": owner, "type": "Organization"},
            "private": False,
            "fork": index % 25 == 24,
            "stargazers_count": stars,
            "watchers_count": stars,  # as on the real one: the stars again, subscribers are the watchers
            "forks_count": round(0.22 * stars),
            "subscribers_count": round(0.06 * stars),
            "open_issues_count": activity.team(index) * 7,
            "archived": activity.is_archived(index, yesterday),
            "disabled": False,
            "pushed_at": f"{self._date(activity.first_day + pushed[-1])}T17:00:00Z" if pushed else None,
            "default_branch": "main",
        }
        return _json(content)

    def commit_activity(self, request: Request, repository: Repository, yesterday: int) -> Response:
        """The last 52 weeks with the running one, from Sunday 00:00 UTC on; 202 until they have been computed."""
        if repository.is_empty:
            return Response(status_code=204)
        if repository.is_slow or repository.number not in self._computed:
            self._computed.add(repository.number)
            return _json({}, 202)
        activity = self._activity
        this_week = activity.first_day + (yesterday + 1 - activity.first_day) // 7 * 7
        by_day = activity.commits(repository.index)
        weeks = []
        for first in range(this_week - 7 * (_WEEKS - 1), this_week + 1, 7):
            start = first - activity.first_day
            days = [int(by_day[day]) if day + activity.first_day <= yesterday else 0 for day in range(start, start + 7)]
            seconds = self._served.milliseconds_at(first) // 1000
            weeks.append({"total": sum(days), "week": int(seconds), "days": days})
        return _json(weeks)

    def code_frequency(self, request: Request, repository: Repository, yesterday: int) -> Response:
        """Refused for a repository with a long history."""
        said = "repository contains more than 10000 commits; please use the commit_activity endpoint"
        return _json({"message": said, "documentation_url": _DOCUMENTATION}, 422)

    def commits(self, request: Request, repository: Repository, yesterday: int) -> Response:
        """One page of commits, newest first, merges included; the next page in the header `Link`."""
        params = request.query_params
        if repository.is_empty:
            return _json({"message": "Git Repository is empty.", "documentation_url": _DOCUMENTATION}, 409)
        try:
            size = min(int(params.get("per_page", _DEFAULT_PAGE)), _LARGEST_PAGE)
            page = max(int(params.get("page", 1)), 1)
            since, until = _instant(params.get("since")), _instant(params.get("until"))
        except ValueError:
            return _json({"message": "Validation Failed", "documentation_url": _DOCUMENTATION}, 422)
        listed = [
            commit
            for commit in self._commits_newest_first(repository, yesterday)
            if (since is None or commit[0] >= since) and (until is None or commit[0] <= until)
        ]
        shown = listed[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(listed):
            query = urlencode({**dict(params), "page": page + 1})
            headers["Link"] = f'<{request.url.replace(query=query)}>; rel="next"'
        return _json([_commit(*commit) for commit in shown], headers=headers)

    def _commits_newest_first(self, repository: Repository, yesterday: int) -> list[tuple[datetime, str, bool]]:
        """Instant, login and whether it is a merge."""
        activity, index = self._activity, repository.index
        team = activity.team(index)
        found: list[tuple[datetime, str, bool]] = []
        for position, count in enumerate(activity.commits(index)[: yesterday - activity.first_day + 1].tolist()):
            midnight = datetime.combine(self._date(activity.first_day + position), datetime.min.time(), tzinfo=UTC)
            for number in range(count):
                at = midnight + timedelta(seconds=(number + 1) * 86_400 // (count + 1))
                login = f"developer-{(position * 7 + number) % team}"
                found.append((at, login, False))
                if len(found) % _MERGE_EVERY == 0:
                    found.append((at + timedelta(seconds=1), login, True))
        return found[::-1]

    def _date(self, day: int) -> date:
        return self._served.market.settings.start + timedelta(days=day)


def _commit(at: datetime, login: str, is_merge: bool) -> dict[str, Any]:
    stamp = f"{at:%Y-%m-%dT%H:%M:%S}Z"
    person = {"name": login, "email": f"{login}@users.noreply.example", "date": stamp}
    parents = [{"sha": "0" * 40}, {"sha": "1" * 40}] if is_merge else [{"sha": "0" * 40}]
    return {
        "sha": f"{int(at.timestamp()):040x}",
        "commit": {"author": person, "committer": person, "message": "Work"},
        "author": {"login": login, "type": "User"},
        "parents": parents,
    }


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers=headers, media_type="application/json")
