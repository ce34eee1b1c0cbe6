"""What must hold of landed developer data: repositories as they stood, commits by week.

Belongs here: suites of GitHub's datasets. Does not: running them (`expectations.py`), other subjects (`suites_*.py`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import PreviousLoad, between, covers, has_types, is_fresh, is_landed

MOST_STARS = 2e6
"""No repository of any kind has as many; the largest has some 450 thousand."""
MOST_COMMITS_A_WEEK = 5_000
REPOSITORY = r"^[a-z0-9][a-z0-9\-]*/[a-z0-9._\-]+$"


def repositories_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 9
) -> list[ExpectationSpec]:
    """Expectations of github/repositories, one row per repository and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; they are read in rotation.
    """
    counts = ("stars", "forks", "watchers", "open_issues")
    return [
        *has_types(texts=["repository"], dates=["market_date"], numbers=counts),
        *is_landed(("repository", "market_date"), required=("is_gone",)),
        ExpectationSpec("expect_column_values_to_match_regex", "repository", {"regex": REPOSITORY}),
        *(between(column, 0, MOST_STARS) for column in counts),
        # Most links of tokens lead somewhere: when half of them are gone, it is the reading that broke.
        ExpectationSpec("expect_column_values_to_not_be_null", "stars", {"mostly": 0.5}, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("repository", previous),
    ]


def commits_weekly_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 16
) -> list[ExpectationSpec]:
    """Expectations of github/commits_weekly, one row per feed, repository and finished week.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of: a week and a rotation.
    """
    return [
        *has_types(texts=["feed", "repository"], dates=["market_date"], numbers=["commits"]),
        *is_landed(("feed", "repository", "market_date"), required=("commits",)),
        ExpectationSpec("expect_column_values_to_match_regex", "repository", {"regex": REPOSITORY}),
        between("commits", 0, None),
        between("commits", 0, MOST_COMMITS_A_WEEK, severity="warning"),
        between("authors", 0, MOST_COMMITS_A_WEEK),
        *is_fresh(as_of, days_allowed),
        *covers("feed", previous),
    ]


DEVELOPER_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {"github/repositories": repositories_suite, "github/commits_weekly": commits_weekly_suite}
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
