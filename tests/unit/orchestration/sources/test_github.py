"""GitHub: documented shapes, statuses that mean something, weeks, and the count of commits where statistics never come."""

from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from orchestration.sources.github import (
    GitHub,
    count_commits,
    read_commit_activity,
    read_kept_repository,
    read_kept_week,
    repository_of,
    week_start,
)
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.one_by_one import OTHERS, OneByOne

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)  # a Monday; the newest week that has ended ends on Saturday, January 4
SUNDAY = date(2024, 12, 29)
SATURDAY = date(2025, 1, 4)
KEY = " ghp_canary "

# https://docs.github.com/en/rest/repos/repos#get-a-repository, shortened
REPOSITORY = {
    "id": 1296269,
    "full_name": "octocat/Hello-World",
    "fork": False,
    "forks_count": 9,
    "stargazers_count": 80,
    "watchers_count": 80,
    "open_issues_count": 3,
    "archived": False,
    "pushed_at": "2025-01-03T19:06:43Z",
    "subscribers_count": 42,
}


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def week(begin: date, days: tuple[int, ...] = (0, 3, 26, 20, 39, 1, 0), **more) -> dict:
    # https://docs.github.com/en/rest/metrics/statistics#get-the-last-year-of-commit-activity
    return {"days": list(days), "total": sum(days), "week": seconds(begin), **more}


def commit(at: str, login: str | None = "octocat", parents: int = 1) -> dict:
    # https://docs.github.com/en/rest/commits/commits#list-commits, shortened
    person = {"name": "Monalisa", "email": "support@example.org", "date": at}
    return {
        "sha": "6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "commit": {"author": person, "committer": person, "message": "Fix all the bugs"},
        "author": None if login is None else {"login": login},
        "parents": [{"sha": "7638417db6d59f3c431d3e1f261cc637155684cd"}] * parents,
    }


class Server:
    """Answers by the end of the path; a list is answered one by one, the last one again and again."""

    def __init__(self, **answers) -> None:
        self.answers = {"repository": httpx.Response(200, json=REPOSITORY), **answers}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        last = request.url.path.rpartition("/")[2]
        answer = self.answers[last if last in ("commit_activity", "commits") else "repository"]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


def ask(server: Server, *names: str, token: str | None = None, start: date | None = None, **options):
    """Rows, weeks and failures, with the pauses that were made."""
    pauses: list[float] = []
    asking = OneByOne()
    options = {"limits": HttpLimits(attempts=1), "sleep": lambda pause: None, **options}
    with HttpClient(transport=httpx.MockTransport(server), wall_clock=lambda: NOW, **options) as http:
        github = GitHub(http, base_url="https://api.github.com", token=token, sleep=pauses.append)
        wanted = dict.fromkeys(names or ("octocat/hello-world",), "coin")
        starts = {} if start is None else dict.fromkeys(wanted, start)
        gathered = github.fetch(wanted, starts=starts, now=NOW, asking=asking)
    return gathered, asking, pauses


def statistics(*weeks: dict) -> httpx.Response:
    return httpx.Response(200, json=list(weeks))


NOT_READY = httpx.Response(202, json={})


def test_a_repository_and_its_finished_weeks_are_read():
    server = Server(commit_activity=statistics(week(SUNDAY), week(SUNDAY + timedelta(days=7))))

    gathered, asking, _ = ask(server)

    pushed_at = datetime(2025, 1, 3, 19, 6, 43, tzinfo=UTC)
    row = ("octocat/hello-world", "coin", date(2025, 1, 5), 80, 9, 42, 3, pushed_at, False, False, False)
    assert gathered.repositories.frame.rows() == [row]
    assert gathered.commits.frame.rows() == [("octocat/hello-world", "coin", SATURDAY, 89, None, "github")]
    assert asking.report() == {}


def test_headers_name_the_version_and_carry_the_token_only_where_there_is_one():
    with_token, without = Server(commit_activity=statistics()), Server(commit_activity=statistics())

    ask(with_token, token=KEY)
    ask(without)

    assert with_token.requests[0].headers["authorization"] == "Bearer ghp_canary"
    assert "authorization" not in without.requests[0].headers
    assert without.requests[0].headers["accept"] == "application/vnd.github+json"
    assert without.requests[0].headers["x-github-api-version"] == "2022-11-28"
    assert "tidemark" in without.requests[0].headers["user-agent"]


def test_statistics_that_are_not_ready_are_asked_again_after_a_pause_for_all_together():
    server = Server(commit_activity=[NOT_READY, NOT_READY, statistics(week(SUNDAY))])

    gathered, _, pauses = ask(server, "a/a", "b/b")

    assert pauses == [4.0]
    assert gathered.commits.frame["repository"].to_list() == ["a/a", "b/b"]


def test_where_statistics_never_come_commits_are_counted_by_page():
    first = [commit("2025-01-05T10:00:00Z")] + [commit("2025-01-04T23:59:59Z", f"dev{n}") for n in range(3)]
    second = [commit("2024-12-29T00:00:00Z", None), commit("2024-12-29T00:00:00Z", parents=2)]
    server = Server(
        commit_activity=NOT_READY,
        commits=[
            httpx.Response(200, json=first, headers={"Link": '<https://api.github.com/x?page=2>; rel="next"'}),
            httpx.Response(200, json=second),
        ],
    )

    gathered, _, pauses = ask(server, start=date(2024, 12, 30))

    asked = [request.url.params for request in server.requests if request.url.path.endswith("/commits")]
    assert pauses == [4.0, 4.0]
    assert [(params["since"], params["per_page"], params["page"]) for params in asked] == [
        ("2024-12-29T00:00:00Z", "100", "1"),
        ("2024-12-29T00:00:00Z", "100", "2"),
    ]
    assert gathered.commits.frame.rows() == [("octocat/hello-world", "coin", SATURDAY, 4, 4, "github")]


def test_a_week_without_commits_counts_none_when_the_list_is_complete():
    rows, _ = count_commits([], "a/a", None, since=date(2024, 12, 22), is_complete=True, now=NOW)

    assert [(row["market_date"], row["commits"]) for row in rows] == [(date(2024, 12, 28), 0), (SATURDAY, 0)]


def test_weeks_that_the_pages_read_do_not_cover_whole_are_left_out():
    listed = [commit("2025-01-02T10:00:00Z"), commit("2024-12-25T10:00:00Z")]

    rows, _ = count_commits(listed, "a/a", None, since=date(2024, 12, 1), is_complete=False, now=NOW)

    assert [row["market_date"] for row in rows] == [SATURDAY]


def test_a_commit_that_cannot_be_read_leaves_no_week_certain():
    rows, rejected = count_commits([commit("yesterday")], "a/a", None, since=SUNDAY, is_complete=True, now=NOW)

    assert rows == []
    assert [each.reason for each in rejected] == ["date is no ISO-8601 timestamp"]


@pytest.mark.parametrize("status", [404, 451])
def test_a_repository_that_is_gone_lands_as_gone_and_is_not_asked_for_commits(status):
    server = Server(repository=httpx.Response(status, json={"message": "Not Found"}))

    gathered, asking, _ = ask(server)

    row = gathered.repositories.frame.row(0, named=True)
    assert (row["is_gone"], row["stars"], row["is_archived"]) == (True, None, None)
    assert server.paths() == ["/repos/octocat/hello-world"]
    assert asking.report() == {}


def test_an_empty_repository_has_no_weeks():
    gathered, asking, _ = ask(Server(commit_activity=httpx.Response(204)))

    assert gathered.repositories.frame.height == 1
    assert gathered.commits.frame.is_empty()
    assert asking.report() == {}


def test_a_repository_that_moved_is_followed_and_keeps_the_name_it_is_asked_by():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/repos/"):
            rest = request.url.path.removeprefix("/repos/octocat/hello-world")
            return httpx.Response(301, headers={"Location": f"https://api.github.com/repositories/7{rest}"})
        return statistics(week(SUNDAY)) if "stats" in request.url.path else httpx.Response(200, json=REPOSITORY)

    gathered, _, _ = ask(answer)

    assert gathered.repositories.frame["repository"].to_list() == ["octocat/hello-world"]
    assert gathered.commits.frame["commits"].to_list() == [89]


def test_a_limit_that_is_used_up_for_long_stops_the_step_and_keeps_what_came():
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 3000)}
    spent = httpx.Response(403, json={"message": "API rate limit exceeded for 1.2.3.4"}, headers=limit)
    server = Server(commit_activity=[statistics(week(SUNDAY)), spent])

    gathered, asking, _ = ask(server, "a/a", "b/b", "c/c", limits=HttpLimits(attempts=3))

    assert gathered.repositories.frame["repository"].to_list() == ["a/a"]  # the others lack their commits
    assert gathered.commits.frame["repository"].to_list() == ["a/a"]
    assert "asks to wait 3000 s" in asking.report()[OTHERS]
    assert len(server.requests) == 5


def test_a_limit_whose_reset_is_near_is_waited_for():
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 20)}
    spent = httpx.Response(403, json={"message": "API rate limit exceeded for 1.2.3.4"}, headers=limit)
    waits: list[float] = []
    server = Server(repository=[spent, httpx.Response(200, json=REPOSITORY)], commit_activity=statistics(week(SUNDAY)))

    gathered, _, _ = ask(server, limits=HttpLimits(attempts=3), sleep=waits.append, clock=lambda: sum(waits))

    assert sum(waits) == pytest.approx(20)
    assert gathered.commits.frame.height == 1


def test_the_secondary_limit_is_a_limit_too():
    slow_down = httpx.Response(
        403, json={"message": "You have exceeded a secondary rate limit"}, headers={"Retry-After": "600"}
    )

    _, asking, _ = ask(Server(repository=slow_down), "a/a", "b/b")

    assert "asks to wait 600 s" in asking.report()[OTHERS]


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [(401, "Bad credentials", "renew or remove it"), (403, "Resource not accessible", "set another token")],
)
def test_a_refused_token_or_network_is_about_all_repositories(status, message, hint):
    _, asking, _ = ask(Server(repository=httpx.Response(status, json={"message": message})), "a/a", "b/b")

    assert list(asking.failures) == ["a/a"]
    assert hint in asking.report()[OTHERS]


def test_one_repository_whose_statistics_fail_leaves_the_others():
    server = Server(commit_activity=[httpx.Response(502, text="Bad Gateway"), statistics(week(SUNDAY))])

    gathered, asking, _ = ask(server, "a/a", "b/b")

    assert gathered.commits.frame["repository"].to_list() == ["b/b"]
    assert list(asking.report()) == ["a/a"]
    assert gathered.repositories.frame.height == 2


@pytest.mark.parametrize("body", [{"message": "API rate limit exceeded for 1.2.3.4"}, {"datum": 1}, [1]])
def test_an_error_under_200_is_never_a_repository(body):
    gathered, asking, _ = ask(Server(repository=httpx.Response(200, json=body)))

    assert gathered.repositories.frame.is_empty()
    assert "octocat/hello-world" in asking.report()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (week(SUNDAY) | {"total": "89"}, "total is text, not a number"),
        (week(SUNDAY) | {"total": 88}, "days do not add up to total"),
        (week(SUNDAY, (1, 2, 3)), "days do not add up to total"),
        (week(SUNDAY) | {"total": 1.5, "days": None}, "total is no whole number"),
        (week(SUNDAY + timedelta(days=1)), "week does not begin on a Sunday at 00:00 UTC"),
        (week(date(2025, 3, 2)), "week lies in the future"),
        (week(SUNDAY) | {"week": "soon"}, "week is text, not a number"),
        ("week", "week is no object"),
    ],
)
def test_malformed_weeks_are_refused_with_their_repository(record, reason):
    rows, rejected = read_commit_activity([record], "a/a", "coin", start=None, now=NOW)

    assert rows == []
    assert [each.reason for each in rejected] == [reason]
    assert '"repository": "a/a"' in rejected[0].payload


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stargazers_count": "many"}, "stargazers_count is text, not a number"),
        ({"archived": "no"}, "archived is no yes or no"),
        ({"pushed_at": "2026-01-03T19:06:43Z"}, "pushed_at lies in the future"),
        ({"stargazers_count": -1}, "stars or forks or watchers or open_issues is negative"),
    ],
)
def test_malformed_repositories_are_refused(change, reason):
    server = Server(repository=httpx.Response(200, json=REPOSITORY | change), commit_activity=statistics())

    gathered, _, _ = ask(server)

    assert gathered.repositories.frame.is_empty()
    assert [each.reason for each in gathered.repositories.rejected] == [reason]


def test_what_was_refused_can_be_read_again():
    kept = {"repository": "a/a", "coin_id": "coin", "week": week(SUNDAY)}

    weeks = read_kept_week(kept, NOW)
    running = read_kept_week(kept | {"week": week(SUNDAY + timedelta(days=7))}, NOW)
    repositories = read_kept_repository({"repository": "a/a", "coin_id": None, "answer": REPOSITORY}, NOW)

    assert [(row["market_date"], row["commits"]) for row in weeks] == [(SATURDAY, 89)]
    assert running == []
    assert [row["stars"] for row in repositories] == [80]


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://github.com/bitcoin/bitcoin", "bitcoin/bitcoin"),
        ("http://www.github.com/EOSIO/eos.git/", "eosio/eos"),
        ("https://github.com/ethereum/go-ethereum/tree/master", "ethereum/go-ethereum"),
        ("https://github.com/ethereum", None),
        ("https://github.com/orgs/near", None),
        ("https://gitlab.com/thorchain/thornode", None),
        ("", None),
    ],
)
def test_links_lead_to_repositories(link, name):
    assert repository_of(link) == name


def test_weeks_begin_on_sunday():
    assert {week_start(SUNDAY + timedelta(days=day)) for day in range(7)} == {SUNDAY}
