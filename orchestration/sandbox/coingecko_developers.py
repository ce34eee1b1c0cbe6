"""What CoinGecko counts of a coin's repository: the part `developer_data` of its document.

Belongs here: the numbers as of now, and the zeros of coins without a readable repository. Does not: the commits
themselves (`developers.py`), the document (`coingecko_coins.py`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from orchestration.sandbox.developers import DeveloperActivity
from orchestration.sandbox.served import ServedMarket

LINES_ADDED, LINES_DELETED = 61, 37
"""A commit's typical lines."""

_WEEK_DAYS, _WEEKS = 7, 4
_COUNTS: Final = (
    "forks",
    "stars",
    "subscribers",
    "total_issues",
    "closed_issues",
    "pull_requests_merged",
    "pull_request_contributors",
)


class DeveloperCounts:
    """Counts of every coin's repository as of the served market's clock."""

    def __init__(self, served: ServedMarket) -> None:
        """Note which coins have a repository that can be read; its commits are drawn when they are asked for."""
        self._served = served
        self._activity = DeveloperActivity(served.market)
        self._readable = {each.index for each in self._activity.repositories if not each.is_gone and not each.is_empty}

    def data_of(self, index: int) -> dict[str, Any]:
        """The part of a coin's document; zeros, and null lines, where there is no repository to read."""
        if index not in self._readable:
            return _data(dict.fromkeys(_COUNTS, 0), weeks=[], has_lines=False)
        yesterday = self._served.today() - 1
        commits = self._activity.commits(index)[: max(yesterday - self._activity.first_day + 1, 0)]
        weeks = commits[-_WEEK_DAYS * _WEEKS :].reshape(_WEEKS, _WEEK_DAYS).sum(axis=1).tolist()
        stars, done = self._activity.stars(index, yesterday), int(np.sum(commits))
        counts = {
            "forks": round(0.3 * stars),
            "stars": stars,
            "subscribers": round(0.05 * stars) + 1,
            "total_issues": round(0.5 * done),
            "closed_issues": round(0.45 * done),
            "pull_requests_merged": round(0.6 * done),
            "pull_request_contributors": self._activity.team(index),
        }
        return _data(counts, weeks=weeks, has_lines=True)


def _data(counts: dict[str, int], *, weeks: list[int], has_lines: bool) -> dict[str, Any]:
    commits = sum(weeks)
    return {
        **counts,
        "code_additions_deletions_4_weeks": {
            "additions": LINES_ADDED * commits if has_lines else None,
            "deletions": -LINES_DELETED * commits if has_lines else None,
        },
        "commit_count_4_weeks": commits,
        "last_4_weeks_commit_activity_series": weeks,
    }
