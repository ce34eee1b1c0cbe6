"""GitHub's wire format, and the developer activity behind it."""

from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from orchestration.sandbox.developers import DeveloperActivity
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox, running_sandbox

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


@pytest.fixture
def sandbox(market: SimulatedMarket):
    """One of its own: GitHub remembers what it has computed, and how often it was asked."""
    with running_sandbox(market, NOW) as running:
        yield running


def get(http: httpx.Client, sandbox: RunningSandbox, path: str, *, has_token: bool = True, **params) -> httpx.Response:
    headers = {"Authorization": "Bearer any"} if has_token else {}
    return http.get(f"{sandbox.url_for('api.github.com')}{path}", params=params, headers=headers)


@pytest.fixture
def activity(market: SimulatedMarket) -> DeveloperActivity:
    return DeveloperActivity(market)


def test_statistics_are_not_ready_at_first_then_52_weeks_from_sunday_on(http, sandbox, activity):
    first = get(http, sandbox, "/repos/bitcoin/bitcoin/stats/commit_activity")
    second = get(http, sandbox, "/repos/Bitcoin/Bitcoin/stats/commit_activity")

    weeks = second.json()
    assert (first.status_code, first.json()) == (202, {})
    assert [set(week) for week in weeks] == [{"total", "week", "days"}] * 52
    assert all(week["total"] == sum(week["days"]) for week in weeks)
    begins = [datetime.fromtimestamp(week["week"], UTC) for week in weeks]
    assert begins[-1] == datetime(2025, 1, 5, tzinfo=UTC)
    assert {begin.strftime("%A %H:%M") for begin in begins} == {"Sunday 00:00"}
    assert sum(weeks[-1]["days"][1:]) == 0  # Monday has just begun
    stop = (datetime(2025, 1, 5, tzinfo=UTC).date() - sandbox.app.market.settings.start).days - activity.first_day
    assert weeks[-2]["total"] == activity.commits(0)[stop - 7 : stop].sum()


def test_without_a_token_the_sixty_first_request_of_an_hour_is_refused(http, sandbox):
    answers = [get(http, sandbox, "/repos/bitcoin/bitcoin", has_token=False) for _ in range(61)]

    last = answers[-1]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert (answers[0].headers["x-ratelimit-limit"], answers[0].headers["x-ratelimit-remaining"]) == ("60", "59")
    assert (last.status_code, last.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "rate limit exceeded" in last.json()["message"]
    assert int(last.headers["x-ratelimit-reset"]) == int(datetime(2025, 1, 6, 1, tzinfo=UTC).timestamp())
    assert get(http, sandbox, "/repos/bitcoin/bitcoin").status_code == 200
    sandbox.clock.advance(timedelta(hours=1))
    assert get(http, sandbox, "/repos/bitcoin/bitcoin", has_token=False).status_code == 200


def test_repositories_are_gone_moved_or_empty(http, sandbox, activity):
    gone = next(each for each in activity.repositories if each.is_gone)
    moved = next(
        each for each in activity.repositories if each.moved_to and sandbox.app.market.lifetimes.birth[each.index] == 0
    )
    empty = next(each for each in activity.repositories if each.is_empty)

    answer = get(http, sandbox, f"/repos/{moved.name}")
    followed = http.get(answer.headers["location"])

    assert get(http, sandbox, f"/repos/{gone.name}").status_code == 404
    assert get(http, sandbox, "/repos/nobody/nothing").json()["message"] == "Not Found"
    assert (answer.status_code, followed.json()["full_name"]) == (301, moved.moved_to)
    assert get(http, sandbox, f"/repos/{empty.name}/stats/commit_activity").status_code == 204
    assert get(http, sandbox, "/repos/bitcoin/bitcoin/stats/code_frequency").status_code == 422


def test_commits_come_newest_first_page_by_page_with_merges(http, sandbox, activity):
    path = "/repos/bitcoin/bitcoin/commits"
    page = get(http, sandbox, path, since="2024-12-29T00:00:00Z", until="2025-01-04T23:59:59Z", per_page=50)
    commits = page.json()
    while 'rel="next"' in page.headers.get("link", ""):
        page = http.get(page.links["next"]["url"])
        commits += page.json()

    stamps = [commit["commit"]["committer"]["date"] for commit in commits]
    plain = [commit for commit in commits if len(commit["parents"]) == 1]
    start = (datetime(2024, 12, 29, tzinfo=UTC).date() - sandbox.app.market.settings.start).days - activity.first_day
    assert stamps == sorted(stamps, reverse=True)
    assert len(plain) == activity.commits(0)[start : start + 7].sum() > 50
    assert len(plain) < len(commits)


@pytest.mark.parametrize("is_null", [False, True])
def test_development_follows_the_past_ends_with_the_token_and_leads_nothing(request, is_null):
    market = request.getfixturevalue("null_market" if is_null else "market")
    activity = DeveloperActivity(market)
    lifetimes, start = market.lifetimes, -activity.first_day
    past, later, after_death = [], [], []
    for each in activity.repositories:
        commits = activity.commits(each.index)[start:]
        close = np.log(market.panel.token(each.index).close)
        birth, last = int(lifetimes.birth[each.index]), int(lifetimes.last[each.index])
        if lifetimes.is_dead[each.index]:
            after_death.append(int(commits[last + 1 :].sum()))
        for day in range(birth + 180, last - 28, 28):
            growth = np.log1p(commits[day - 28 : day].sum()) - np.log1p(commits[day - 180 : day - 28].sum() * 28 / 152)
            past.append((growth, close[day - 1] - close[day - 91]))
            later.append((growth, close[day + 27] - close[day - 1]))

    followed, led = (np.corrcoef(*np.array(pairs).T)[0, 1] for pairs in (past, later))
    assert len(after_death) > 5
    assert sum(after_death) == 0
    assert followed > 0.03
    assert abs(led) < 0.05


def test_larger_tokens_have_more_work_done(activity, market):
    sizes = [market.members[each.index].opening_cap_usd for each in activity.repositories]
    work = [activity.commits(each.index)[: 52 * 7].sum() for each in activity.repositories]

    assert np.corrcoef(np.log(sizes), np.log1p(work))[0, 1] > 0.7


def test_history_does_not_change_as_time_goes_on(http, sandbox):
    path = "/repos/ethereum/go-ethereum/stats/commit_activity"
    get(http, sandbox, path)
    before = get(http, sandbox, path).json()
    sandbox.clock.advance(timedelta(weeks=3))

    after = get(http, sandbox, path).json()

    assert after[:-4] == before[3:-1]
