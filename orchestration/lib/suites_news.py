"""What must hold of landed news and talk: headlines, tone, communities, posts.

Belongs here: suites of RSS, GDELT and Reddit. Does not: running them (`expectations.py`), topics (`models_ml/sentiment`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import PreviousLoad, between, covers, has_types, is_fresh, is_landed

LONGEST_TITLE = 500
MOST_USERS = 1e9


def headlines_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of rss/headlines, one row per article.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["feed", "article_id", "title"], dates=["market_date"]),
        *is_landed(("feed", "article_id"), required=("market_date", "published_at", "title")),
        ExpectationSpec(
            "expect_column_value_lengths_to_be_between", "title", {"min_value": 1, "max_value": LONGEST_TITLE}
        ),
        ExpectationSpec("expect_column_values_to_match_regex", "url", {"regex": r"^https?://"}, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("feed", previous),
    ]


def tone_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 4
) -> list[ExpectationSpec]:
    """Expectations of gdelt/tone_daily, one row per query and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; it is known a day late.
    """
    return [
        *has_types(texts=["query"], dates=["market_date"], numbers=["tone", "articles", "article_share"]),
        *is_landed(("query", "market_date")),
        between("tone", -100, 100),
        between("tone", -20, 20, severity="warning"),
        between("articles", 0, None),
        between("article_share", 0, 1),
        *is_fresh(as_of, days_allowed),
        *covers("query", previous),
    ]


def subreddits_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of reddit/subreddits, one row per community and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    counts = ("subscribers", "active_users", "posts_24h", "comments_24h")
    return [
        *has_types(texts=["subreddit"], dates=["market_date"], numbers=counts),
        *is_landed(("subreddit", "market_date")),
        *(between(column, 0, MOST_USERS) for column in counts),
        between("posts_24h", 0, 100),
        *is_fresh(as_of, days_allowed),
        *covers("subreddit", previous),
    ]


def posts_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of reddit/posts, one row per post.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["subreddit", "post_id", "title"], dates=["market_date"]),
        *is_landed(("subreddit", "post_id"), required=("market_date", "posted_at", "title")),
        ExpectationSpec(
            "expect_column_value_lengths_to_be_between", "title", {"min_value": 1, "max_value": LONGEST_TITLE}
        ),
        *is_fresh(as_of, days_allowed),
        *covers("subreddit", previous),
    ]


NEWS_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "rss/headlines": headlines_suite,
        "gdelt/tone_daily": tone_daily_suite,
        "reddit/subreddits": subreddits_suite,
        "reddit/posts": posts_suite,
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
