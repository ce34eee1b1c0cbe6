"""Reddit: OAuth with an app's key, communities and their posts; without a key a page that refuses, and Atom.

Any key and secret are taken; the token is one of the sandbox's own.

Belongs here: the wire format of www.reddit.com and oauth.reddit.com. Does not: communities and posts (`news.py`).
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.news import Community, community, post_title
from orchestration.sandbox.served import ServedMarket

HOSTS = ("www.reddit.com", "oauth.reddit.com")
BLOCKED_STATUS = 403
LIMITS = (100, 60.0)

_TOKEN = "sandbox-access-token"  # noqa: S105 - it opens nothing
_PAGE = "<!doctype html><html><head><title>Blocked</title></head><body>whoa there, pardner! Log in or use a token.</body></html>"
_ATOM_ENTRIES = 25
_MOST_POSTS = 100


def error_body(status: int) -> Any:
    """What Reddit says under an HTTP status: a page to those it blocks, else JSON."""
    if status == 403:
        return _PAGE
    return {
        "message": {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}.get(status, "Error"),
        "error": status,
    }


def make_routes(served: ServedMarket) -> list[Route]:
    """Routes below both hosts."""
    reddit = _Reddit(served)
    return [
        Route("/api/v1/access_token", reddit.access_token, methods=["POST"]),
        Route("/r/{name}/about", reddit.about),
        Route("/r/{name}/new", reddit.listing),
        Route("/r/{name}/hot", reddit.listing),
        Route("/r/{name}/.rss", reddit.atom),
        Route("/r/{rest:path}", reddit.refused),
    ]


class _Reddit:
    def __init__(self, served: ServedMarket) -> None:
        self._served = served
        self._asked = 0

    @cached_property
    def _index_of(self) -> dict[str, int]:
        return {token.coin_id.replace("-", ""): index for index, token in enumerate(self._served.market.members)}

    async def access_token(self, request: Request) -> Response:
        """A token for a key and a secret."""
        form = parse_qs((await request.body()).decode())
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            key, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            key = secret = ""
        if scheme.lower() != "basic" or not key or not secret:
            return _json(error_body(401), 401)
        if form.get("grant_type") != ["client_credentials"]:
            return _json({"error": "unsupported_grant_type"})
        return _json({"access_token": _TOKEN, "token_type": "bearer", "expires_in": 86_400, "scope": "*"})

    async def about(self, request: Request) -> Response:
        """What a community is."""
        known = self._community(request)
        if isinstance(known, Response):
            return known
        data = {
            "display_name": request.path_params["name"],
            "subscribers": known.subscribers,
            "accounts_active": known.active,
            "active_user_count": known.active,
            "created_utc": 1_500_000_000.0,
        }
        return self._answer({"kind": "t5", "data": data})

    async def listing(self, request: Request) -> Response:
        """Its newest posts."""
        known = self._community(request)
        if isinstance(known, Response):
            return known
        limit = min(int(request.query_params.get("limit", 25)), _MOST_POSTS)
        children = [
            {
                "kind": "t3",
                "data": {
                    "id": f"p{int(at.timestamp()):x}",
                    "title": post_title(self._served.market, known.index, at),
                    "score": score,
                    "num_comments": comments,
                    "created_utc": at.timestamp(),
                    "upvote_ratio": 0.9,
                },
            }
            for at, score, comments in known.posts[:limit]
        ]
        return self._answer({"kind": "Listing", "data": {"after": None, "dist": len(children), "children": children}})

    async def atom(self, request: Request) -> Response:
        """The newest posts without a key: no scores, no size."""
        index = self._index_of.get(request.path_params["name"].lower())
        if index is None:
            return Response("", 404)
        posts = community(self._served.market, index, self._served.clock.now).posts[:_ATOM_ENTRIES]
        entries = "".join(
            f"<entry><id>t3_{number}</id><title>A post</title><updated>{at.isoformat()}</updated></entry>"
            for number, (at, _, _) in enumerate(posts)
        )
        text = f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'
        return Response(text, media_type="application/atom+xml; charset=UTF-8")

    async def refused(self, request: Request) -> Response:
        """Everything else, keyless JSON above all."""
        return Response(_PAGE, 403, media_type="text/html; charset=utf-8")

    def _community(self, request: Request) -> Community | Response:
        if request.headers.get("authorization") != f"Bearer {_TOKEN}":
            return Response(_PAGE, 403, media_type="text/html; charset=utf-8")
        index = self._index_of.get(request.path_params["name"].lower())
        if index is None or not self._served.is_born(index):
            return _json(error_body(404), 404)
        return community(self._served.market, index, self._served.clock.now)

    def _answer(self, content: Any) -> Response:
        self._asked += 1
        used = self._asked % LIMITS[0]
        headers = {
            "x-ratelimit-remaining": f"{LIMITS[0] - used}.0",
            "x-ratelimit-used": str(used),
            "x-ratelimit-reset": "60",
        }
        return _json(content, headers=headers)


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers=headers, media_type="application/json; charset=UTF-8")
