"""Developers: repositories and their commits.

Belongs here: datasets of GitHub. Does not: developer counts that CoinGecko makes of it (`coingecko.py`).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from orchestration.sources.datasets.base import (
    INSTANT,
    SEEN_DATE,
    Column,
    Dataset,
    below_zero,
    count,
    flag,
    text,
)

REPOSITORY = text("owner/name, lower case")
COIN_ID = text("CoinGecko id of the token it belongs to", nullable=True)

_REPOSITORIES = Dataset(
    source="github",
    name="repositories",
    fields={
        "repository": REPOSITORY,
        "coin_id": COIN_ID,
        "market_date": SEEN_DATE,
        "stars": count("stars", "stargazers"),
        "forks": count("forks", "of the repository"),
        "watchers": count("users", "subscribers"),
        "open_issues": count("issues", "open, pull requests included"),
        "pushed_at": Column(INSTANT, "UTC instant", "last push", nullable=True),
        "is_archived": flag("read-only for good"),
        "is_fork": flag("copy of another repository"),
        "is_gone": flag("deleted or blocked: nothing but that is known of it", nullable=False),
    },
    key=("repository", "market_date"),
    description="One row per repository and day read.",
    cadence_days=7,
    rules=(below_zero(("stars", "forks", "watchers", "open_issues")),),
)

_COMMITS_WEEKLY = Dataset(
    source="github",
    name="commits_weekly",
    fields={
        "repository": REPOSITORY,
        "coin_id": COIN_ID,
        "market_date": Column(pl.Date, "UTC day", "last day of the week"),
        "commits": count("commits", "of the week, without merges where the provider leaves them out", nullable=False),
        "authors": count("people", "distinct, where counted"),
        "feed": text("github, or which import; their weeks begin on different days, never add them up"),
    },
    key=("feed", "repository", "market_date"),
    description="One row per feed, repository and finished week; an import has no row for a week without commits.",
    cadence_days=7,
    rules=(below_zero(("commits", "authors")),),
)

DATASETS: Final = (_REPOSITORIES, _COMMITS_WEEKLY)
