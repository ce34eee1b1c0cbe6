"""The document of one coin, coins/{id}: its metadata, its community, its developers.

Belongs here: their shapes. Does not: prices (`charts.py`, `lists.py`), who is asked when (`orchestration/lib/loads`).

Traps: a coin without a repository has zeros in `developer_data`, and so has one whose repository CoinGecko cannot read;
`deletions` are negative; Reddit is no longer counted, which shows as null or 0; nobody voted is null in both shares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from orchestration.sources.coingecko.lists import ASSETS
from orchestration.sources.datasets import find_dataset
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_count,
    read_number,
    read_text,
    validate,
)

COIN_ACTIVITY: Final = find_dataset("coingecko", "coin_activity")

STABLECOIN_CATEGORIES: Final = frozenset({"stablecoins", "usd-stablecoin", "eur-stablecoin", "fiat-backed-stablecoin"})
WRAPPED_CATEGORIES: Final = frozenset({"wrapped-tokens", "bridged-tokens", "tokenized-btc"})

_DEVELOPER_COUNTS: Final = {
    "stars": "stars",
    "forks": "forks",
    "contributors": "pull_request_contributors",
    "pull_requests_merged": "pull_requests_merged",
    "commits_4w": "commit_count_4_weeks",
}


@dataclass(frozen=True)
class CoinDocument:
    """An answer to coins/{id} that names the coin it is about."""

    coin_id: str
    content: Mapping[str, Any]

    @classmethod
    def of(cls, payload: Any) -> CoinDocument:
        """Check that it is such an answer.

        Raises:
            UnexpectedBodyError: It has no id.
        """
        coin_id = read_text(payload.get("id")) if isinstance(payload, dict) else None
        if coin_id is None:
            raise UnexpectedBodyError(f"coingecko: coins/{{id}} holds no `id`: {str(payload)[:200]}")
        return cls(coin_id, payload)


def parse_coins(documents: Iterable[CoinDocument], *, now: datetime) -> tuple[Fetched, Fetched]:
    """Turn documents into rows of `coingecko/assets`, and of `coingecko/coin_activity` of the last finished day.

    A document with an unreadable part is refused for the dataset of that part only.
    """
    gathered = list(documents)
    assets: list[dict[str, Any]] = []
    activity: list[dict[str, Any]] = []
    refused_assets: list[Rejected] = []
    refused_activity: list[Rejected] = []
    for document in gathered:
        try:
            assets.append(_read_asset(document))
        except UnreadableValueError as error:
            refused_assets.append(Rejected.of(str(error), _asset_part(document)))
        try:
            activity.append(_read_activity(document, now=now))
        except UnreadableValueError as error:
            refused_activity.append(Rejected.of(str(error), _activity_part(document)))
    return (
        validate(ASSETS, assets, now=now, rejected=refused_assets),
        validate(COIN_ACTIVITY, activity, now=now, rejected=refused_activity),
    )


def _read_asset(document: CoinDocument) -> dict[str, Any]:
    """Metadata; the flags come from category ids and stay null where the answer has no `categories_details`."""
    content = document.content
    details = content.get("categories_details")
    ids = None
    if isinstance(details, list):
        ids = {read_text(each.get("id")) for each in details if isinstance(each, dict)}
    links = _object(content, "links")
    homepages = _texts(links, "homepage")
    platform = read_text(content.get("asset_platform_id"))
    return {
        "coin_id": document.coin_id,
        "symbol": read_text(content.get("symbol")),
        "name": read_text(content.get("name")),
        "platform": platform,
        "genesis_date": _read_day(content.get("genesis_date")),
        "homepage": homepages[0] if homepages else None,
        "github_repos": json.dumps(_texts(_object(links, "repos_url"), "github")),
        "is_stablecoin": None if ids is None else bool(ids & STABLECOIN_CATEGORIES),
        "is_wrapped": None if ids is None else bool(ids & WRAPPED_CATEGORIES),
        "is_native": platform is None,
    }


def _read_activity(document: CoinDocument, *, now: datetime) -> dict[str, Any]:
    content = document.content
    community = _object(content, "community_data")
    upvotes = read_number(content.get("sentiment_votes_up_percentage"), column="sentiment_votes_up_percentage")
    downvotes = read_number(content.get("sentiment_votes_down_percentage"), column="sentiment_votes_down_percentage")
    return {
        "coin_id": document.coin_id,
        "market_date": last_finished_day(now),
        "watchlist_users": read_count(content.get("watchlist_portfolio_users"), column="watchlist_portfolio_users"),
        "sentiment_up_share": None if upvotes is None or (upvotes == 0 and not downvotes) else upvotes / 100,
        "reddit_subscribers": _read_followers(community, "reddit_subscribers"),
        "telegram_users": _read_followers(community, "telegram_channel_user_count"),
        **_read_developers(content),
    }


def _read_developers(content: Mapping[str, Any]) -> dict[str, int | None]:
    """Counts of the coin's repositories; all null where it has none, or where none of them could be read."""
    developers = _object(content, "developer_data")
    lines = _object(developers, "code_additions_deletions_4_weeks")
    counts = {name: read_count(developers.get(field), column=field) for name, field in _DEVELOPER_COUNTS.items()}
    deletions = read_count(lines.get("deletions"), column="deletions")
    counts |= {
        "additions_4w": read_count(lines.get("additions"), column="additions"),
        "deletions_4w": None if deletions is None else abs(deletions),
    }
    repositories = _object(_object(content, "links"), "repos_url")
    has_repository = bool(_texts(repositories, "github") or _texts(repositories, "bitbucket"))
    if not has_repository or not any(counts.values()):
        return dict.fromkeys(counts)  # zeros that count nothing
    return counts


def _read_followers(community: Mapping[str, Any], field: str) -> int | None:
    return read_count(community.get(field), column=field) or None  # 0 stands for no longer counted


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    if part is None or part == "null":
        return {}
    if not isinstance(part, dict):
        raise UnreadableValueError(f"{name} is no object")
    return part


def _texts(content: Mapping[str, Any], name: str) -> list[str]:
    part = content.get(name) or []
    if not isinstance(part, list):
        raise UnreadableValueError(f"{name} is no list")
    return [text for text in map(read_text, part) if text]


def _asset_part(document: CoinDocument) -> dict[str, Any]:
    names = ("symbol", "name", "asset_platform_id", "genesis_date", "links", "categories_details")
    return {"id": document.coin_id, **{name: document.content.get(name) for name in names}}


def _activity_part(document: CoinDocument) -> dict[str, Any]:
    votes = ("watchlist_portfolio_users", "sentiment_votes_up_percentage", "sentiment_votes_down_percentage")
    names = (*votes, "links", "community_data", "developer_data")
    return {"id": document.coin_id, **{name: document.content.get(name) for name in names}}


def _read_day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None  # "null" and partial dates: a coin without a genesis date is common
