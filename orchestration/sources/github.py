"""GitHub REST: repositories as they stand, and commits by week.

Belongs here: its requests, statuses and shapes.
Traps: statistics that are not computed yet come as 202 with `{}` (asked again some seconds later, at last counted from the
list of commits); an empty repository is 204, a moved one 301, a deleted one 404; weeks begin on Sunday 00:00 UTC and the
last one runs; a limit that is used up is 403 with `x-ratelimit-remaining: 0`, which `http.py` waits for when its reset is
near; statistics leave merges out, the list of commits does not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final

from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    UnexpectedBodyError,
)
from orchestration.sources.http import Answer, HttpClient, Query
from orchestration.sources.one_by_one import OneByOne
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_count,
    read_instant,
    read_text,
    read_unix,
    refuse_future,
    validate,
)

BASE_URL: Final = "https://api.github.com"
REPOSITORIES: Final = find_dataset("github", "repositories")
COMMITS_WEEKLY: Final = find_dataset("github", "commits_weekly")
FEED: Final = "github"

STATISTICS_ATTEMPTS: Final = 3
RETRY_PAUSE_SECONDS: Final = 4.0
COMMITS_A_PAGE: Final = 100
MOST_COMMIT_PAGES: Final = 5
LONGEST_COUNT: Final = timedelta(weeks=8)
"""How far back commits are counted one by one where the statistics never came."""

_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_LINK: Final = re.compile(r"github\.com/([\w.-]+)/([\w.-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Gathered:
    """What several repositories gave.

    Attributes:
        repositories: Rows of `github/repositories`, of those that were asked for all.
        commits: Rows of `github/commits_weekly`.
    """

    repositories: Fetched
    commits: Fetched


@dataclass
class _Weeks:
    """Rows of weekly commits as they come in."""

    now: datetime
    starts: Mapping[str, date]
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    def add(self, repository: str, found: tuple[list[dict[str, Any]], list[Rejected]]) -> None:
        """Keep what one repository gave."""
        self.rows += found[0]
        self.rejected += found[1]
        self.done.add(repository)


def repository_of(link: str) -> str | None:
    """owner/name in lower case of a link to a repository; None for a link to an owner, or elsewhere.

    Example:
        >>> repository_of("https://github.com/bitcoin/Bitcoin.git")
        'bitcoin/bitcoin'
    """
    found = _LINK.search(link)
    if found is None or found[1].lower() in ("orgs", "topics", "sponsors"):
        return None
    return f"{found[1]}/{found[2].removesuffix('.git')}".lower()


class GitHub:
    """Requests to GitHub.

    Args:
        http: Shared client; 60 requests an hour without a token, 5,000 with one.
        base_url: Address without a path.
        token: Personal access token; it travels in a header. The client's `secrets` need it too.
        retry_pause_seconds: Pause before statistics that were not ready are asked again.
        sleep: Waits.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        base_url: str = BASE_URL,
        token: str | None = None,
        retry_pause_seconds: float = RETRY_PAUSE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep client, address and token; nothing is asked yet."""
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._headers = {
            **_HEADERS,
            **({"Authorization": f"Bearer {token.strip()}"} if token and token.strip() else {}),
        }
        self.requests = 0
        """Requests made, repetitions of failed ones not counted."""
        self._retry_pause_seconds = retry_pause_seconds
        self._sleep = sleep

    def fetch(
        self, repositories: Mapping[str, str | None], *, starts: Mapping[str, date], now: datetime, asking: OneByOne
    ) -> Gathered:
        """Ask for some repositories and their weekly commits.

        Args:
            repositories: CoinGecko ids by owner/name.
            starts: First day wanted by owner/name; weeks that end before are left out.
            now: Instant of the request; weeks not ended by then are left out.
            asking: Keeps what failed, and stops when GitHub does not answer or its limit is used up.

        Returns:
            What came.
        """
        rows: dict[str, dict[str, Any]] = {}
        refused: list[Rejected] = []
        for repository, coin_id in repositories.items():
            answer = asking.ask(repository, partial(self._repository, repository))
            if answer is None:
                continue
            try:
                rows[repository] = read_repository(answer, repository=repository, coin_id=coin_id, now=now)
            except UnreadableValueError as error:
                record = {"repository": repository, "coin_id": coin_id, "answer": answer.payload}
                refused.append(Rejected.of(str(error), record))
        living = {name: repositories[name] for name, row in rows.items() if not row["is_gone"]}
        weeks = _Weeks(now=now, starts=starts)
        waiting = self._read_statistics(living, weeks, asking)
        for repository, coin_id in waiting.items():
            found = asking.ask(repository, partial(self._counted, repository, coin_id, starts.get(repository), now))
            if found is not None:
                weeks.add(repository, found)
        # Where GitHub stopped answering in between, the repository counts as not read, so that it is asked again.
        read = [row for name, row in rows.items() if asking.stopped_by is None or row["is_gone"] or name in weeks.done]
        return Gathered(
            validate(REPOSITORIES, read, now=now, rejected=refused),
            validate(COMMITS_WEEKLY, weeks.rows, now=now, rejected=weeks.rejected),
        )

    def _repository(self, repository: str) -> Answer:
        return self._get(f"/repos/{repository}", accept=(404, 451), check=refuse_no_repository)

    def _statistics(self, repository: str) -> Answer:
        return self._get(f"/repos/{repository}/stats/commit_activity", accept=(404, 451), check=refuse_no_list)

    def _read_statistics(
        self, repositories: Mapping[str, str | None], weeks: _Weeks, asking: OneByOne
    ) -> Mapping[str, str | None]:
        """Read the statistics of all, those that are not ready again after a pause; gives those that never were."""
        waiting = dict(repositories)
        for attempt in range(STATISTICS_ATTEMPTS):
            if attempt and waiting:
                self._sleep(self._retry_pause_seconds)
            not_ready: dict[str, str | None] = {}
            for repository, coin_id in waiting.items():
                answer = asking.ask(repository, partial(self._statistics, repository))
                if answer is None:
                    continue
                if answer.status == 202:
                    not_ready[repository] = coin_id
                    continue
                records = answer.payload if answer.status == 200 else []
                start = weeks.starts.get(repository)
                weeks.add(repository, read_commit_activity(records, repository, coin_id, start=start, now=weeks.now))
            waiting = not_ready
        return waiting

    def _counted(
        self, repository: str, coin_id: str | None, start: date | None, now: datetime
    ) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Weeks counted from the list of commits; only those that the pages read cover whole."""
        earliest = week_start((now - LONGEST_COUNT).date())
        since = max(week_start(start), earliest) if start else earliest
        query: Query = {"since": f"{since}T00:00:00Z", "per_page": COMMITS_A_PAGE}
        records: list[Any] = []
        is_complete = False
        for page in range(1, MOST_COMMIT_PAGES + 1):
            answer = self._get(
                f"/repos/{repository}/commits", {**query, "page": page}, accept=(404, 409), check=refuse_no_list
            )
            records += answer.payload if answer.status == 200 else []
            # Its address names GitHub's host, so only that there is a next page is taken from it.
            if 'rel="next"' not in answer.headers.get("link", ""):
                is_complete = answer.status == 200
                break
        return count_commits(records, repository, coin_id, since=since, is_complete=is_complete, now=now)

    def _get(
        self,
        path: str,
        query: Query | None = None,
        *,
        accept: Iterable[int],
        check: Callable[[Answer], None] | None = None,
    ) -> Answer:
        self.requests += 1
        try:
            return self._http.get_answer(
                f"{self._base_url}{path}", params=query, headers=self._headers, accept=accept, check=check
            )
        except RequestRejectedError as error:
            if error.status == 403:
                raise AccessRestrictedError(f"{error}: this network or token is refused; set another token") from None
            if error.status == 401:
                raise RequestRejectedError(
                    f"github: HTTP 401, the token is refused; renew or remove it: {error}", status=401
                ) from None
            raise


def refuse_no_repository(answer: Answer) -> None:
    """Raise for a 200 that describes no repository.

    Raises:
        RateLimitedError: It says that a limit is used up.
        UnexpectedBodyError: It is anything else.
    """
    if answer.status == 200 and not (isinstance(answer.payload, dict) and "full_name" in answer.payload):
        raise _misplaced(answer.payload)


def refuse_no_list(answer: Answer) -> None:
    """Raise for a 200 that is no list.

    Raises:
        RateLimitedError: It says that a limit is used up.
        UnexpectedBodyError: It is anything else.
    """
    if answer.status != 200 or isinstance(answer.payload, list):
        return
    raise _misplaced(answer.payload)


def read_repository(answer: Answer, *, repository: str, coin_id: str | None, now: datetime) -> dict[str, Any]:
    """Turn /repos/{owner}/{name} into a row; one that was deleted or blocked has no counts.

    Raises:
        UnreadableValueError: A field cannot be what it should be.
    """
    head = {"repository": repository, "coin_id": coin_id, "market_date": last_finished_day(now)}
    if answer.status in (404, 451):
        return {**head, "is_gone": True}
    payload = answer.payload
    pushed_at = None if payload.get("pushed_at") is None else read_instant(payload["pushed_at"], column="pushed_at")
    if pushed_at is not None:
        refuse_future(pushed_at, now=now, column="pushed_at")
    return {
        **head,
        "stars": read_count(payload.get("stargazers_count"), column="stargazers_count"),
        "forks": read_count(payload.get("forks_count"), column="forks_count"),
        "watchers": read_count(payload.get("subscribers_count"), column="subscribers_count"),
        "open_issues": read_count(payload.get("open_issues_count"), column="open_issues_count"),
        "pushed_at": pushed_at,
        "is_archived": _flag(payload.get("archived"), "archived"),
        "is_fork": _flag(payload.get("fork"), "fork"),
        "is_gone": False,
    }


def read_commit_activity(
    payload: Any, repository: str, coin_id: str | None, *, start: date | None, now: datetime
) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Turn /stats/commit_activity into a row a week that has ended, on its Saturday; weeks that end before `start` are left out."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in payload:
        try:
            row = read_week(record, repository, coin_id, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"repository": repository, "coin_id": coin_id, "week": record}))
            continue
        if row is not None and (start is None or row["market_date"] >= start):
            rows.append(row)
    return rows, rejected


def read_week(record: Any, repository: str, coin_id: str | None, *, now: datetime) -> dict[str, Any] | None:
    """Read one week; None for one that has not ended.

    Raises:
        UnreadableValueError: It is malformed.
    """
    if not isinstance(record, dict):
        raise UnreadableValueError("week is no object")
    begun_at = read_unix(record.get("week"), column="week")
    refuse_future(begun_at, now=now, column="week")
    if begun_at != datetime.combine(week_start(begun_at.date()), datetime.min.time(), tzinfo=UTC):
        raise UnreadableValueError("week does not begin on a Sunday at 00:00 UTC")
    last_day = begun_at.date() + timedelta(days=6)
    commits = read_count(record.get("total"), column="total")
    days = record.get("days")
    if isinstance(days, list) and (
        len(days) != 7 or sum(read_count(day, column="days") or 0 for day in days) != commits
    ):
        raise UnreadableValueError("days do not add up to total")
    if last_day > last_finished_day(now):
        return None
    return {
        "repository": repository,
        "coin_id": coin_id,
        "market_date": last_day,
        "commits": commits,
        "authors": None,
        "feed": FEED,
    }


def count_commits(
    records: Sequence[Any], repository: str, coin_id: str | None, *, since: date, is_complete: bool, now: datetime
) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Count commits by week from the list of commits, merges left out as the statistics do.

    Args:
        records: Commits, newest first, as the pages gave them.
        repository: owner/name.
        coin_id: CoinGecko id.
        since: The Sunday from which commits were asked for.
        is_complete: Whether the pages went back to `since`; if not, the week of the oldest commit is left out with all before.
        now: Instant of the request; the running week is left out.
    """
    counts: dict[date, list[str]] = {}
    rejected: list[Rejected] = []
    oldest: date | None = None
    for record in records:
        try:
            committed_at, author, is_merge = _read_commit(record)
            refuse_future(committed_at, now=now, column="date")
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"repository": repository, "commit": record}))
            continue
        sunday = week_start(committed_at.date())
        oldest = sunday if oldest is None else min(oldest, sunday)
        if not is_merge:
            counts.setdefault(sunday, []).append(author)
    first = since if is_complete else None if oldest is None else oldest + timedelta(weeks=1)
    if first is None or rejected:  # a commit that cannot be read belongs to some week: none is sure to be whole
        return [], rejected
    rows = []
    while first + timedelta(days=6) <= last_finished_day(now):
        authors = counts.get(first, [])
        head = {"repository": repository, "coin_id": coin_id, "market_date": first + timedelta(days=6)}
        rows.append({**head, "commits": len(authors), "authors": len(set(authors)), "feed": FEED})
        first += timedelta(weeks=1)
    return rows, rejected


def read_kept_week(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined week again, `{"repository": .., "coin_id": .., "week": {..}}`; a kept commit holds no row.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("repository"), str):
        raise UnreadableValueError("record lacks repository")
    if "commit" in payload:
        _read_commit(payload["commit"])  # the next load counts its week anew
        return []
    row = read_week(payload.get("week"), payload["repository"], read_text(payload.get("coin_id")), now=now)
    return [] if row is None else [row]


def read_kept_repository(payload: Any, now: datetime) -> list[dict[str, Any]]:
    """Read a quarantined repository again, `{"repository": .., "coin_id": .., "answer": {..}}`.

    Raises:
        UnreadableValueError: It is still malformed.
    """
    answer = payload.get("answer") if isinstance(payload, dict) else None
    if not isinstance(answer, dict) or not isinstance(payload.get("repository"), str):
        raise UnreadableValueError("record lacks repository or answer")
    coin_id = read_text(payload.get("coin_id"))
    return [read_repository(Answer(200, {}, answer), repository=payload["repository"], coin_id=coin_id, now=now)]


def week_start(day: date) -> date:
    """The Sunday on which GitHub's week of a day begins."""
    return day - timedelta(days=(day.weekday() + 1) % 7)


def _read_commit(record: Any) -> tuple[datetime, str, bool]:
    commit = record.get("commit") if isinstance(record, dict) else None
    if not isinstance(commit, dict):
        raise UnreadableValueError("commit is no object")
    people = [person if isinstance(person, dict) else {} for person in (commit.get("committer"), commit.get("author"))]
    committed_at = read_instant(people[0].get("date") or people[1].get("date"), column="date")
    account = record.get("author")
    login = read_text(account.get("login")) if isinstance(account, dict) else None
    author = login or read_text(people[1].get("email")) or read_text(people[1].get("name")) or "unknown"
    parents = record.get("parents")
    return committed_at, author, isinstance(parents, list) and len(parents) > 1


def _misplaced(payload: Any) -> RateLimitedError | UnexpectedBodyError:
    said = str(payload.get("message") if isinstance(payload, dict) else payload)[:200]
    if "rate limit" in said.lower():
        return RateLimitedError(f"github: limit under HTTP 200: {said}")
    return UnexpectedBodyError(f"github: answer has another shape: {said}")


def _flag(value: Any, column: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise UnreadableValueError(f"{column} is no yes or no")
