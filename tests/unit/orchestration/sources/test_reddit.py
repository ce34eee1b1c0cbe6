"""Reddit: the exchange of a key for a token, communities, their talk, and silence about what opens them."""

import base64
import logging
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from orchestration.sources.errors import AccessRestrictedError, RequestRejectedError, SourceError, UnexpectedBodyError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.reddit import Reddit, parse_posts, parse_subreddit, read_kept_post, read_kept_subreddit

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
KEY, CODE, GIVEN = "canary-key", "canary-secret", "canary-token"


def about(**change) -> dict:
    return {"subscribers": 7_100_000, "accounts_active": None, "active_user_count": 900, "created_utc": 1.2e9} | change


def post(hours_ago: float, score: object = 10, comments: object = 4) -> dict:
    created = (NOW - timedelta(hours=hours_ago)).timestamp()
    data = {
        "id": "x",
        "title": "T",
        "score": score,
        "num_comments": comments,
        "created_utc": created,
        "upvote_ratio": 0.9,
    }
    return {"kind": "t3", "data": data}


def listing(*posts: dict) -> dict:
    return {"after": None, "children": list(posts)}


class Server:
    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = {
            "access_token": httpx.Response(
                200, json={"access_token": GIVEN, "token_type": "bearer", "expires_in": 86400}
            ),
            "about": httpx.Response(200, json={"kind": "t5", "data": about()}),
            "new": httpx.Response(200, json={"kind": "Listing", "data": listing(post(1), post(23), post(25))}),
        } | answers
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[request.url.path.rpartition("/")[2]]
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


def ask(server: Server, *names: str, attempts: int = 1):
    with HttpClient(
        transport=httpx.MockTransport(server), limits=HttpLimits(attempts=attempts), sleep=lambda pause: None
    ) as http:
        reddit = Reddit(http, key=KEY, secret=CODE)
        return [reddit.fetch_subreddit(name, coin_id="bitcoin", now=NOW) for name in names or ("Bitcoin",)]


def test_a_community_gives_its_size_and_the_talk_of_a_day():
    ((fetched, _),) = ask(Server())

    assert fetched.frame.rows() == [("bitcoin", "bitcoin", date(2025, 1, 5), 7_100_000, 900, 2, 8, 20)]


def test_the_key_is_exchanged_once_and_the_token_signs_the_rest():
    server = Server()

    ask(server, "bitcoin", "ethereum")

    first, *others = server.requests
    basic = base64.b64encode(f"{KEY}:{CODE}".encode()).decode()
    assert (first.method, str(first.url)) == ("POST", "https://www.reddit.com/api/v1/access_token")
    assert (first.headers["authorization"], first.content) == (f"Basic {basic}", b"grant_type=client_credentials")
    assert {request.headers["authorization"] for request in others} == {f"Bearer {GIVEN}"}
    assert [request.url.path for request in others] == [
        "/r/bitcoin/about", "/r/bitcoin/new", "/r/ethereum/about", "/r/ethereum/new",
    ]  # fmt: skip
    assert dict(others[1].url.params) == {"limit": "100", "raw_json": "1"}


@pytest.mark.parametrize("path", ["access_token", "about", "new"])
def test_nothing_that_opens_reddit_is_ever_told(path, caplog):
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(f"{KEY}:{CODE}".encode()).decode()
    loud = httpx.Response(500, text=f"{KEY} {CODE} {basic} {GIVEN} are broken")

    with pytest.raises(SourceError) as caught:
        ask(Server(**{path: loud}), attempts=2)

    told = f"{caught.value!r} {caplog.text}"
    assert [word for word in (KEY, CODE, basic) if word in told] == []
    assert path == "access_token" or GIVEN not in told  # before it is given out nobody knows it


def test_a_listing_without_posts_counts_none():
    ((fetched, _),) = ask(Server(new=httpx.Response(200, json={"kind": "Listing", "data": listing()})))

    assert fetched.frame.select("posts_24h", "comments_24h", "score_24h").rows() == [(0, 0, 0)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (post(1, score="many"), "score is text, not a number"),
        (post(1, comments=None), "num_comments or score is missing or negative"),
        (post(1, comments=-3), "num_comments or score is missing or negative"),
        (post(-5), "created_utc lies in the future"),
        ({"kind": "t3"}, "post is no object"),
    ],
)
def test_a_post_that_cannot_be_read_leaves_the_talk_unknown(wrong, reason):
    fetched = parse_subreddit(about(), listing(post(1), wrong), subreddit="bitcoin", coin_id=None, now=NOW)

    assert fetched.frame.select("subscribers", "posts_24h", "comments_24h").rows() == [(7_100_000, None, None)]
    assert [each.reason for each in fetched.rejected] == [reason]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"subscribers": "7m"}, "subscribers is text, not a number"),
        ({"subscribers": 1.5}, "subscribers is no whole number"),
        ({"subscribers": -1}, "subscribers or active_users or posts_24h or comments_24h is negative"),
    ],
)
def test_a_malformed_community_is_refused(change, reason):
    fetched = parse_subreddit(about(**change), listing(), subreddit="bitcoin", coin_id=None, now=NOW)

    assert fetched.frame.is_empty()
    assert [each.reason for each in fetched.rejected] == [reason]


@pytest.mark.parametrize(
    ("server", "error"),
    [
        (
            Server(access_token=httpx.Response(401, json={"message": "Unauthorized", "error": 401})),
            RequestRejectedError,
        ),
        (Server(access_token=httpx.Response(200, json={"error": "invalid_grant"})), UnexpectedBodyError),
        (Server(about=httpx.Response(403, text="<!doctype html><title>Blocked</title>")), AccessRestrictedError),
        (Server(about=httpx.Response(404, json={"message": "Not Found"})), RequestRejectedError),
        (Server(about=httpx.Response(200, json={"kind": "Listing", "data": {}})), UnexpectedBodyError),
        (Server(new=httpx.Response(401, json={"message": "Unauthorized"})), RequestRejectedError),
    ],
)
def test_refusals_are_told_apart(server, error):
    with pytest.raises(error):
        ask(server)


def test_what_was_refused_can_be_read_again():
    kept = {"subreddit": "bitcoin", "coin_id": None, "about": about()}

    assert [row["subscribers"] for row in read_kept_subreddit(kept, NOW)] == [7_100_000]
    assert read_kept_subreddit({"subreddit": "bitcoin", "post": post(1)}, NOW) == []


def titled(hours, title, post_id="p1", **other):
    child = post(hours)
    return {**child, "data": {**child["data"], "id": post_id, "title": title, "author": "somebody", **other}}


def test_a_community_gives_the_titles_of_its_posts():
    listed = httpx.Response(
        200, json={"kind": "Listing", "data": listing(titled(1, "Up  we\ngo"), titled(30, "Old", "p2"))}
    )

    ((_, posts),) = ask(Server(new=listed))

    assert posts.frame.select("subreddit", "post_id", "coin_id", "title").rows() == [
        ("bitcoin", "p1", "bitcoin", "Up we go"),
        ("bitcoin", "p2", "bitcoin", "Old"),
    ]
    assert posts.frame["market_date"].to_list() == [at.date() for at in posts.frame["posted_at"]]
    assert posts.frame["posted_at"].to_list() == [NOW - timedelta(hours=1), NOW - timedelta(hours=30)]


@pytest.mark.parametrize("title", ["[deleted by user]", "[Removed]", "[ Removed by Reddit ]"])
def test_removed_posts_are_left_out(title):
    posts = parse_posts(listing(titled(1, title)), subreddit="bitcoin", coin_id=None, now=NOW)

    assert posts.frame.is_empty()
    assert posts.rejected == ()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (titled(1, None), "post lacks id or title"),
        (titled(1, "Hi", post_id=None), "post lacks id or title"),
        (titled(-5, "Hi"), "created_utc lies in the future"),
        ({"kind": "t3"}, "post is no object"),
    ],
)
def test_a_post_without_a_title_is_refused_without_its_author(wrong, reason):
    posts = parse_posts(listing(titled(1, "Fine", "p0"), wrong), subreddit="bitcoin", coin_id=None, now=NOW)

    assert posts.frame["post_id"].to_list() == ["p0"]
    assert [each.reason for each in posts.rejected] == [reason]
    assert "somebody" not in str(posts.rejected)


def test_a_refused_post_can_be_read_again():
    kept = {"subreddit": "bitcoin", "coin_id": None, "post": titled(1, "Fine")}

    assert [row["title"] for row in read_kept_post(kept, NOW)] == ["Fine"]
