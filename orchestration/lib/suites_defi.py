"""What must hold of landed datasets of DefiLlama: protocols, chains, stablecoins, yields, unlock schedules.

Belongs here: expectations of datasets that land. Does not: parts that suites share (`suite_parts.py`), running them.
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
from orchestration.sources.datasets.base import HIGHEST_USD_AMOUNT

METRICS = ("tvl_usd", "fees_usd", "revenue_usd", "dex_volume_usd")
UNLOCK_CATEGORIES = (
    "insiders",
    "privateSale",
    "publicSale",
    "airdrop",
    "farming",
    "noncirculating",
    "liquidity",
    "staking",
    "Uncategorized",
)
HIGHEST_LIKELY_RATE = 10.0
"""Fraction per year; pools above it exist, for days."""
MOST_TOKENS = 1e18


def protocols_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of defillama/protocols, one row per protocol or family and day read.

    Args:
        as_of: Instant the data are for.
        previous: The days before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    amounts = ("tvl_usd", "borrowed_usd", "staking_usd")
    return [
        *has_types(texts=["protocol_id", "slug", "name"], dates=["market_date"], numbers=amounts),
        *is_landed(("protocol_id", "market_date"), required=("slug", "is_double_counted")),
        *(between(name, 0, HIGHEST_USD_AMOUNT) for name in amounts),
        # A list without any coin is a list that nothing can be joined to.
        ExpectationSpec("expect_column_values_to_not_be_null", "coin_id", {"mostly": 0.05}, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("protocol_id", previous),
    ]


def protocol_metrics_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of defillama/protocol_metrics, one row per protocol, metric and day.

    Args:
        as_of: Instant the data are for.
        previous: The days before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; metrics are a day late.
    """
    return [
        *has_types(texts=["protocol_id", "metric"], dates=["market_date"], numbers=["value"]),
        *is_landed(("protocol_id", "metric", "market_date"), required=("value", "coin_id")),
        ExpectationSpec("expect_column_values_to_be_in_set", "metric", {"value_set": list(METRICS)}),
        between("value", 0, HIGHEST_USD_AMOUNT),
        *is_fresh(as_of, days_allowed),
        *covers("protocol_id", previous),
    ]


def chain_tvl_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of defillama/chain_tvl, one row per chain and day.

    Args:
        as_of: Instant the data are for.
        previous: The days before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["chain"], dates=["market_date"], numbers=["tvl_usd"]),
        *is_landed(("chain", "market_date"), required=("tvl_usd",)),
        between("tvl_usd", 0, HIGHEST_USD_AMOUNT),
        *is_fresh(as_of, days_allowed),
        *covers("chain", previous),
    ]


def stablecoin_supply_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of defillama/stablecoin_supply, one row per stablecoin and day, and one for all.

    Args:
        as_of: Instant the data are for.
        previous: The days before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["stablecoin_id"], dates=["market_date"], numbers=["circulating_usd", "price_usd"]),
        *is_landed(("stablecoin_id", "market_date"), required=("circulating_usd",)),
        between("circulating_usd", 0, HIGHEST_USD_AMOUNT),
        between("price_usd", 0, 10, strict_min=True, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("stablecoin_id", previous),
    ]


def yields_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of defillama/yields, one row per pool and day read. Rates are fractions: a percentage would show.

    Args:
        as_of: Instant the data are for.
        previous: The days before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    rates = ("apy_base", "apy_reward")
    return [
        *has_types(texts=["pool_id", "project", "chain"], dates=["market_date"], numbers=["tvl_usd", *rates]),
        *is_landed(("pool_id", "market_date"), required=("tvl_usd",)),
        between("tvl_usd", 1e6, HIGHEST_USD_AMOUNT),
        *(
            ExpectationSpec(
                "expect_column_values_to_be_between",
                name,
                {"min_value": -1, "max_value": HIGHEST_LIKELY_RATE, "mostly": 0.95},
                severity="warning",
            )
            for name in rates
        ),
        *is_fresh(as_of, days_allowed),
        *covers("pool_id", previous),
    ]


def unlock_events_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 0
) -> list[ExpectationSpec]:
    """Expectations of defillama/unlock_events, one row per release of a schedule; it has no date, so none of freshness.

    Args:
        as_of: Instant the data are for.
        previous: Not used.
        days_allowed: Not used.
    """
    key = ("protocol", "section", "starts_at", "unlock_type", "position")
    return [
        *has_types(texts=["protocol", "section", "unlock_type"], numbers=["amount_tokens"]),
        *_is_reference(key, required=("amount_tokens",)),
        ExpectationSpec("expect_column_values_to_be_in_set", "unlock_type", {"value_set": ["cliff", "linear"]}),
        ExpectationSpec(
            "expect_column_values_to_be_in_set",
            "category",
            {"value_set": list(UNLOCK_CATEGORIES)},
            severity="warning",
        ),
        between("amount_tokens", 0, MOST_TOKENS, strict_min=True),
        between("position", 0, 1000),
    ]


def unlock_schedules_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 0
) -> list[ExpectationSpec]:
    """Expectations of defillama/unlock_schedules, one row per schedule, of no date.

    Args:
        as_of: Instant the data are for.
        previous: Not used.
        days_allowed: Not used.
    """
    return [
        *has_types(texts=["protocol"], numbers=["max_supply_tokens"]),
        *_is_reference(("protocol",), required=()),
        between("max_supply_tokens", 0, MOST_TOKENS, strict_min=True),
        ExpectationSpec("expect_column_values_to_not_be_null", "coin_id", {"mostly": 0.5}, severity="warning"),
    ]


DEFI_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "defillama/protocols": protocols_suite,
        "defillama/protocol_metrics": protocol_metrics_suite,
        "defillama/chain_tvl": chain_tvl_suite,
        "defillama/stablecoin_supply": stablecoin_supply_suite,
        "defillama/yields": yields_suite,
        "defillama/unlock_events": unlock_events_suite,
        "defillama/unlock_schedules": unlock_schedules_suite,
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""


def _is_reference(key: tuple[str, ...], *, required: tuple[str, ...]) -> list[ExpectationSpec]:
    """As `is_landed`, for rows of no date: when an archive copy was known is not known."""
    return [spec for spec in is_landed(key, required=required) if spec.column != "available_at"]
