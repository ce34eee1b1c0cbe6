"""Reddit through OAuth: the size of communities, the talk of the last day and the titles of posts. Needs the key and the secret of an app.

Belongs here: its token, requests and shapes. Does not: which communities (`orchestration/lib/loads/reddit.py`).
Traps: without a token every JSON address answers 403 with a page; the number of users present may be null; a listing holds a
hundred posts at most, so a busy community's day is cut off there; a community that is private or gone is 403 or 404.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import RequestRejectedError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, Query
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_count,
    read_text,
    read_unix,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://oauth.reddit.com"
TOKEN_URL: Final = "https://www.reddit.com/api/v1/access_token"  # noqa: S105 - an address
SUBREDDITS: Final = find_dataset("reddit", "subreddits")
POSTS: Final = find_dataset("reddit", "posts")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a token may consist of (RFC 6750, section 2.1); anything else can be no header."""
REMOVED: Final = ("[deleted by user]", "[removed]", "[ removed by reddit ]", "[removed by reddit]")
"""Titles, in lower case, of posts that are gone."""
MOST_POSTS: Final = 100
TALK_OF: Final = timedelta(hours=24)


class Reddit:
    """Requests to Reddit on behalf of an app.

    Args:
        http: Shared client; 100 requests a minute are allowed. It learns to hide what the app signs in with.
        key: Id of the app.
        secret: Its secret.
        base_url: Address without a path.
        token_url: Where tokens are given out.
    """

    def __init__(
        self, http: HttpClient, *, key: str, secret: str, base_url: str = BASE_URL, token_url: str = TOKEN_URL
    ) -> None:
        """Keep client, key and addresses; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._token_url = token_url
        self._basic = base64.b64encode(f"{key.strip()}:{secret.strip()}".encode()).decode()
        self._token: str | None = None
        http.hide([key, secret, self._basic])

    def fetch_subreddit(self, subreddit: str, *, coin_id: str | None, now: datetime) -> tuple[Fetched, Fetched]:
        """Fetch size, talk and posts of one community, two requests, and one for the token before the first.

        Args:
            subreddit: Name without `r/`.
            coin_id: CoinGecko id of the token it is about.
            now: Instant of the request; `market_date` becomes the last finished day.

        Returns:
            One row of `reddit/subreddits`, whose talk stays null where a post cannot be read, and the rows of `reddit/posts`,
            those of the running day included, because a busy community's are out of reach by tomorrow.

        Raises:
            SourceError: See `errors.py`; a community that is private or gone is a `RequestRejectedError`.
        """
        about = self._get(f"/r/{subreddit}/about", {"raw_json": 1}, kind="t5")
        posts = self._get(f"/r/{subreddit}/new", {"limit": MOST_POSTS, "raw_json": 1}, kind="Listing")
        size = parse_subreddit(about, posts, subreddit=subreddit, coin_id=coin_id, now=now)
        return size, parse_posts(posts, subreddit=subreddit, coin_id=coin_id, now=now)

    def _get(self, path: str, query: Query, *, kind: str) -> dict[str, Any]:
        def check(payload: Any) -> None:
            if (
                not isinstance(payload, dict)
                or payload.get("kind") != kind
                or not isinstance(payload.get("data"), dict)
            ):
                raise UnexpectedBodyError(f"reddit: {path} is no {kind}: {str(payload)[:200]}")

        headers = {"Authorization": f"Bearer {self._sign_in()}"}
        try:
            payload: dict[str, Any] = self._http.get_json(
                f"{self._base_url}{path}", params=query, headers=headers, check=check
            )
        except RequestRejectedError as error:
            if error.status == 401:
                raise RequestRejectedError(f"reddit: HTTP 401, the token is refused: {error}", status=401) from None
            raise
        data: dict[str, Any] = payload["data"]
        return data

    def _sign_in(self) -> str:
        """The token, asked for once; it lasts a day."""
        if self._token is None:

            def check(payload: Any) -> None:
                token = payload.get("access_token") if isinstance(payload, dict) else None
                if not isinstance(token, str) or not _TOKEN.fullmatch(token):
                    said = payload.get("error") if isinstance(payload, dict) else None
                    raise UnexpectedBodyError(f"reddit: no access token was given ({said}); check key and secret")

            payload = self._http.post_form(
                self._token_url,
                {"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {self._basic}"},
                check=check,
            )
            token: str = payload["access_token"]
            self._http.hide([token])
            self._token = token
        return self._token


def parse_subreddit(
    about: dict[str, Any], posts: dict[str, Any], *, subreddit: str, coin_id: str | None, now: datetime
) -> Fetched:
    """Turn both answers into one row of the last finished day."""
    try:
        row = read_subreddit(about, subreddit=subreddit, coin_id=coin_id, now=now)
    except UnreadableValueError as error:
        rejected = Rejected.of(str(error), {"subreddit": subreddit, "coin_id": coin_id, "about": about})
        return validate(SUBREDDITS, [], now=now, rejected=[rejected])
    talk, refused = _talk(posts, subreddit, now=now)
    return validate(SUBREDDITS, [{**row, **talk}], now=now, rejected=refused)


def parse_posts(posts: dict[str, Any], *, subreddit: str, coin_id: str | None, now: datetime) -> Fetched:
    """Turn a listing into rows of `reddit/posts`, newest first."""
    children = posts.get("children")
    rows, rejected = [], []
    for child in children if isinstance(children, list) else []:
        try:
            row = read_title(child, subreddit=subreddit, coin_id=coin_id, now=now)
        except UnreadableValueError as error:
            rejected.append(
                Rejected.of(str(error), {"subreddit": subreddit, "coin_id": coin_id, "post": _without_author(child)})
            )
            continue
        if row["title"].lower() not in REMOVED:
            rows.append(row)
    return validate(POSTS, rows, now=now, rejected=rejected)


def _without_author(child: Any) -> Any:
    """What a post needs to be read again, and nothing of who wrote it."""
    data = child.get("data") if isinstance(child, dict) else None
    return (
        {"data": {name: data.get(name) for name in ("id", "title", "created_utc")}} if isinstance(data, dict) else child
    )


def read_title(child: Any, *, subreddit: str, coin_id: str | None, now: datetime) -> dict[str, Any]:
    """Read the title of a post, when and where it was posted.

    Raises:
        UnreadableValueError: Id, title or instant is missing or cannot be what it should be.
    """
    data = child.get("data") if isinstance(child, dict) else None
    if not isinstance(data, dict):
        raise UnreadableValueError("post is no object")
    posted_at = read_unix(data.get("created_utc"), column="created_utc")
    refuse_future(posted_at, now=now, column="created_utc")
    post_id, title = read_text(data.get("id")), read_text(data.get("title"))
    if post_id is None or title is None:
        raise UnreadableValueError("post lacks id or title")
    return {
        "subreddit": subreddit.lower(),
        "post_id": post_id,
        "coin_id": coin_id,
        "market_date": posted_at.date(),
        "posted_at": posted_at,
        "title": " ".join(title.split()),
    }


def read_subreddit(about: Any, *, subreddit: str, coin_id: str | None, now: datetime) -> dict[str, Any]:
    """Read the size of a community.

    Raises:
        UnreadableValueError: A number cannot be what it should be.
    """
    active = about.get("accounts_active")
    return {
        "subreddit": subreddit.lower(),
        "coin_id": coin_id,
        "market_date": last_finished_day(now),
        "subscribers": read_count(about.get("subscribers"), column="subscribers"),
        "active_users": read_count(
            about.get("active_user_count") if active is None else active, column="accounts_active"
        ),
    }


def read_kept_subreddit(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined community again, `{"subreddit": .., "about": {..}}`; a kept post holds no row.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("subreddit"), str):
        raise UnreadableValueError("record lacks subreddit")
    if "post" in payload:
        _read_post(payload["post"], now=now)
        return []
    if not isinstance(payload.get("about"), dict):
        raise UnreadableValueError("record lacks about")
    coin_id = read_text(payload.get("coin_id"))
    return [read_subreddit(payload["about"], subreddit=payload["subreddit"], coin_id=coin_id, now=now)]


def read_kept_post(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined post again, `{"subreddit": .., "coin_id": .., "post": {..}}`.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("subreddit"), str) or "post" not in payload:
        raise UnreadableValueError("record lacks subreddit or post")
    coin_id = read_text(payload.get("coin_id"))
    return [read_title(payload["post"], subreddit=payload["subreddit"], coin_id=coin_id, now=now)]


def _talk(posts: dict[str, Any], subreddit: str, *, now: datetime) -> tuple[dict[str, int | None], list[Rejected]]:
    children = posts.get("children")
    read, rejected = [], []
    for child in children if isinstance(children, list) else []:
        try:
            read.append(_read_post(child, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"subreddit": subreddit, "post": child}))
    if rejected or not isinstance(children, list):  # a sum without one of its parts is a wrong number
        return {"posts_24h": None, "comments_24h": None, "score_24h": None}, rejected
    recent = [(comments, score) for at, comments, score in read if at > now - TALK_OF]
    return {
        "posts_24h": len(recent),
        "comments_24h": sum(comments for comments, _ in recent),
        "score_24h": sum(score for _, score in recent),
    }, rejected


def _read_post(child: Any, *, now: datetime) -> tuple[datetime, int, int]:
    """When it was posted, its comments, its score."""
    data = child.get("data") if isinstance(child, dict) else None
    if not isinstance(data, dict):
        raise UnreadableValueError("post is no object")
    created_at = read_unix(data.get("created_utc"), column="created_utc")
    refuse_future(created_at, now=now, column="created_utc")
    comments, score = (
        read_count(data.get("num_comments"), column="num_comments"),
        read_count(data.get("score"), column="score"),
    )
    if comments is None or score is None or comments < 0:
        raise UnreadableValueError("num_comments or score is missing or negative")
    return created_at, comments, score
