"""What must hold of landed exchange data: candles, tickers, order books, funding and open interest.

Belongs here: suites of the exchanges' datasets, the same for every venue. Does not: running them (`expectations.py`), other
subjects (`suites_*.py`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import (
    PreviousLoad,
    at_least,
    between,
    covers,
    has_types,
    is_fresh,
    is_landed,
)
from orchestration.sources.datasets.base import HIGHEST_PRICE, HIGHEST_USD_AMOUNT
from orchestration.sources.datasets.exchanges import DERIVATIVES, EXCHANGES

WIDEST_SPREAD = 0.5
"""Fraction of the mid; beyond it nobody makes a market."""
HIGHEST_FUNDING = 0.25
HIGHEST_OPEN_INTEREST = 1e12
"""USD; all perpetuals of all exchanges together hold about a fifth of it."""


def candles_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of <venue>/candles_daily, one row per market and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    prices = ("open_quote", "high_quote", "low_quote", "close_quote")
    return [
        *has_types(
            texts=["market_id", "quote"], dates=["market_date"], numbers=[*prices, "volume_base", "volume_quote"]
        ),
        *is_landed(("market_id", "market_date"), required=(*prices, "quote")),
        *(between(price, 0, HIGHEST_PRICE, strict_min=True) for price in prices),
        *(at_least("high_quote", price, severity="warning") for price in ("open_quote", "close_quote", "low_quote")),
        *(at_least(price, "low_quote", severity="warning") for price in ("open_quote", "close_quote")),
        between("volume_base", 0, None),
        between("volume_quote", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("market_id", previous),
    ]


def tickers_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of <venue>/tickers, one row per market and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *has_types(texts=["market_id", "quote"], dates=["market_date"], numbers=["last_quote", "volume_quote"]),
        *is_landed(("market_id", "market_date"), required=("last_quote", "quote", "observed_at")),
        between("last_quote", 0, HIGHEST_PRICE, strict_min=True),
        between("volume_quote", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        at_least("ask_quote", "bid_quote", severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("market_id", previous),
    ]


def order_books_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of <venue>/order_books, one row per market and day read.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    depths = ("bid_depth_2pct_quote", "ask_depth_2pct_quote")
    return [
        *has_types(texts=["market_id", "quote"], dates=["market_date"], numbers=["mid_quote", "spread", *depths]),
        *is_landed(("market_id", "market_date"), required=("mid_quote", "spread", *depths, "is_depth_complete")),
        between("mid_quote", 0, HIGHEST_PRICE, strict_min=True),
        between("spread", 0, None),
        between("spread", 0, WIDEST_SPREAD, severity="warning"),
        *(between(depth, 0, HIGHEST_USD_AMOUNT) for depth in depths),
        *is_fresh(as_of, days_allowed),
        *covers("market_id", previous),
    ]


def funding_rates_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 8
) -> list[ExpectationSpec]:
    """Expectations of <venue>/funding_rates, one row per perpetual and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; they are asked once a week.
    """
    return [
        *has_types(texts=["market_id"], dates=["market_date"], numbers=["funding_rate", "interval_hours"]),
        *is_landed(("market_id", "market_date"), required=("funding_rate",)),
        between("funding_rate", -HIGHEST_FUNDING, HIGHEST_FUNDING),
        between("interval_hours", 0, 24, strict_min=True, severity="warning"),
        between("settlements", 1, 24, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("market_id", previous),
    ]


def open_interest_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 8
) -> list[ExpectationSpec]:
    """Expectations of <venue>/open_interest, one row per perpetual and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; some are asked once a week.
    """
    return [
        *has_types(texts=["market_id"], dates=["market_date"], numbers=["open_interest_usd"]),
        *is_landed(("market_id", "market_date"), required=("open_interest_usd",)),
        between("open_interest_usd", 0, HIGHEST_OPEN_INTEREST),
        between("open_interest_base", 0, None),
        *is_fresh(as_of, days_allowed),
        *covers("market_id", previous),
    ]


EXCHANGE_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        **{f"{venue}/candles_daily": candles_daily_suite for venue in EXCHANGES},
        **{f"{venue}/tickers": tickers_suite for venue in EXCHANGES},
        **{f"{venue}/order_books": order_books_suite for venue in EXCHANGES},
        **{f"{venue}/funding_rates": funding_rates_suite for venue in DERIVATIVES},
        **{f"{venue}/open_interest": open_interest_suite for venue in DERIVATIVES},
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
