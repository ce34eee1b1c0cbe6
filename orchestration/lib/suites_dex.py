"""What must hold of the datasets that GeckoTerminal lands, as `suites_landing.py` says of all.

Belongs here: suites of pools, their candles, and holders. Does not: parts that many suites share (`suite_parts.py`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import (
    PreviousLoad,
    at_least,
    between,
    has_types,
    is_fresh,
    is_landed,
)
from orchestration.sources.datasets.base import HIGHEST_PRICE, HIGHEST_USD_AMOUNT

MOST_HOLDERS = 1e9


def pools_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of geckoterminal/pools, one row per pool and day read.

    Coverage is not judged: which pools trend or are new is another set each day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, not looked at.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    counts = ("buys_24h", "sells_24h", "buyers_24h", "sellers_24h")
    return [
        *has_types(
            texts=["pool_id", "network", "pool_address", "found_as"],
            dates=["market_date"],
            numbers=["price_usd", "liquidity_usd", "volume_24h_usd"],
        ),
        *is_landed(("pool_id", "market_date"), required=("network", "pool_address", "found_as")),
        ExpectationSpec(
            "expect_column_values_to_be_in_set", "found_as", {"value_set": ["new", "trending", "followed"]}
        ),
        between("price_usd", 0, HIGHEST_PRICE, strict_min=True, severity="warning"),  # anybody can price a token so
        between("liquidity_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *(between(count, 0, None) for count in counts),
        *is_fresh(as_of, days_allowed),
    ]


def pool_candles_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of geckoterminal/pool_candles, one row per pool and finished day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, not looked at: pools come and go.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    prices = ("open_usd", "high_usd", "low_usd", "close_usd")
    return [
        *has_types(texts=["pool_id"], dates=["market_date"], numbers=[*prices, "volume_usd"]),
        *is_landed(("pool_id", "market_date"), required=prices),
        *(between(price, 0, HIGHEST_PRICE, strict_min=True, severity="warning") for price in prices),
        *(at_least("high_usd", price, severity="warning") for price in ("open_usd", "close_usd", "low_usd")),
        *(at_least(price, "low_usd", severity="warning") for price in ("open_usd", "close_usd")),
        between("volume_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *is_fresh(as_of, days_allowed),
    ]


def token_holders_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 8
) -> list[ExpectationSpec]:
    """Expectations of geckoterminal/token_holders, one row per token contract and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, not looked at: the first run reads a fourth of the tokens, later ones a 28th each.
        days_allowed: How many days the newest market_date may lie before the day of as_of; a week where runs are weekly.
    """
    shares = ("top_10_share", "next_30_share", "next_40_share")
    return [
        *has_types(texts=["network", "token_address"], dates=["market_date"], numbers=["holders", *shares]),
        *is_landed(("network", "token_address", "market_date")),
        between("holders", 1, MOST_HOLDERS),
        *(between(share, 0, 1) for share in shares),
        between("score", 0, 100),
        ExpectationSpec("expect_column_values_to_not_be_null", "holders", {"mostly": 0.3}, severity="warning"),
        *is_fresh(as_of, days_allowed),
    ]


DEX_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "geckoterminal/pools": pools_suite,
        "geckoterminal/pool_candles": pool_candles_suite,
        "geckoterminal/token_holders": token_holders_suite,
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
