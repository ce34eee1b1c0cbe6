"""What must hold of the datasets that CoinGecko lands, as `suites_landing.py` says of all.

Belongs here: suites of CoinGecko. Does not: parts that many suites share (`suite_parts.py`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import (
    PreviousLoad,
    between,
    covers,
    has_types,
    is_fresh,
    is_landed,
)
from orchestration.sources.datasets.base import HIGHEST_PRICE, HIGHEST_USD_AMOUNT

MOST_PEOPLE = 1e9
"""Users, stars or holders; more than any project has."""

CHART_DAYS_ALLOWED = 7
"""Charts are asked at the end of a week, so by the end of the next one the newest close is seven days old."""


def market_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = CHART_DAYS_ALLOWED
) -> list[ExpectationSpec]:
    """Expectations of coingecko/market_daily, one row per coin and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["coin_id"], dates=["market_date"], numbers=["price_usd", "market_cap_usd", "volume_24h_usd"]),
        *is_landed(("coin_id", "market_date"), required=("price_usd",)),
        between("price_usd", 0, HIGHEST_PRICE, strict_min=True),
        between("market_cap_usd", 0, HIGHEST_USD_AMOUNT, strict_min=True, severity="warning"),
        between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("coin_id", previous),
    ]


def markets_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of coingecko/markets, one row per coin and day: prices of all coins, and the universe.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    supplies = ("circulating_supply_tokens", "total_supply_tokens", "max_supply_tokens")
    numbers = ("price_usd", "market_cap_usd", "volume_24h_usd", *supplies)
    return [
        *has_types(texts=["coin_id"], dates=["market_date"], numbers=numbers),
        *is_landed(("coin_id", "market_date"), required=("price_usd", "observed_at")),
        between("price_usd", 0, HIGHEST_PRICE, strict_min=True),
        between("market_cap_usd", 0, HIGHEST_USD_AMOUNT, strict_min=True, severity="warning"),
        between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *(between(supply, 0, None, strict_min=True) for supply in supplies),
        ExpectationSpec("expect_column_values_to_not_be_null", "market_cap_usd", {"mostly": 0.8}, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("coin_id", previous),
    ]


def coin_activity_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 8
) -> list[ExpectationSpec]:
    """Expectations of coingecko/coin_activity, one row per coin and day read.

    Coverage is not judged: the first run reads a fourth of the coins, later ones a 28th each.

    Args:
        as_of: Instant the data are for.
        previous: The load before, not looked at.
        days_allowed: How many days the newest market_date may lie before the day of as_of; a week where runs are weekly.
    """
    counts = ("watchlist_users", "stars", "forks", "contributors", "pull_requests_merged", "commits_4w", "deletions_4w")
    return [
        *has_types(texts=["coin_id"], dates=["market_date"], numbers=["watchlist_users", "sentiment_up_share"]),
        *is_landed(("coin_id", "market_date")),
        between("sentiment_up_share", 0, 1),
        *(between(count, 0, MOST_PEOPLE) for count in counts),
        ExpectationSpec("expect_column_values_to_not_be_null", "watchlist_users", {"mostly": 0.5}, severity="warning"),
        *is_fresh(as_of, days_allowed),
    ]


def category_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of coingecko/category_daily, one row per category and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["category_id", "category_name"], dates=["market_date"], numbers=["market_cap_usd"]),
        *is_landed(("category_id", "market_date"), required=("category_name",)),
        between("market_cap_usd", 0, HIGHEST_USD_AMOUNT, strict_min=True, severity="warning"),
        between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("category_id", previous),
    ]


def global_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of coingecko/global_daily, one row per day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, not looked at: how many days were read says nothing of the feed.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    shares = ("btc_dominance", "eth_dominance")
    return [
        *has_types(dates=["market_date"], numbers=["market_cap_usd", "volume_24h_usd", *shares]),
        *is_landed(("market_date",), required=("market_cap_usd", "volume_24h_usd")),
        between("market_cap_usd", 0, HIGHEST_USD_AMOUNT, strict_min=True),
        between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT),
        *(between(share, 0, 1) for share in shares),
        *is_fresh(as_of, days_allowed),
    ]


COINGECKO_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "coingecko/market_daily": market_daily_suite,
        "coingecko/markets": markets_suite,
        "coingecko/coin_activity": coin_activity_suite,
        "coingecko/category_daily": category_daily_suite,
        "coingecko/global_daily": global_daily_suite,
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
