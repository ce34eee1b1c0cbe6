"""What must hold of landed datasets: types, keys, ranges, freshness against an as_of, coverage against the load before.

A suite is for the rows of one load, or of several: a key may come again in another load, never within one. Rows that
were malformed are in quarantine and not here, so a critical failure means that an adapter let something through, or
that a feed broke down; what real data is known to do now and then is a warning.

Belongs here: expectations of datasets that land. Does not: running them (`expectations.py`), cleaning (the dbt
project).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec, Severity

# Names that Great Expectations resolves to numpy's types or to pandas' classes, whatever of them a frame happens to
# use.
NUMBER_TYPES = (
    *("float64", "float32", "int64", "int32", "int16", "int8"),
    *("Float64Dtype", "Float32Dtype", "Int64Dtype", "Int32Dtype", "Int16Dtype", "Int8Dtype"),
)

HIGHEST_PRICE = 1e9
"""USD, or any quote currency worth about as much; no token has traded near it."""
HIGHEST_USD_AMOUNT = 1e14
"""USD; more than all wealth of one kind, so a market cap or volume above is a broken unit."""

SHARE_EXPECTED = 0.9
SHARE_REQUIRED = 0.5

FEAR_AND_GREED = ("Extreme Fear", "Fear", "Neutral", "Greed", "Extreme Greed")


@dataclass(frozen=True)
class PreviousLoad:
    """How much the load before had, to notice a feed that shrinks.

    Attributes:
        ids: Distinct tokens, markets or assets; for a dataset without any, the rows.
    """

    ids: int


def market_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of coingecko/market_daily, one row per coin and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *_has_types(
            texts=["coin_id"], dates=["market_date"], numbers=["price_usd", "market_cap_usd", "volume_24h_usd"]
        ),
        *_is_landed(("coin_id", "market_date"), required=("price_usd",)),
        _between("price_usd", 0, HIGHEST_PRICE, strict_min=True),
        _between("market_cap_usd", 0, HIGHEST_USD_AMOUNT, strict_min=True, severity="warning"),
        _between("volume_24h_usd", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *_is_fresh(as_of, days_allowed),
        *_covers("coin_id", previous),
    ]


def candles_daily_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of binance/candles_daily, one row per market and day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    prices = ("open_quote", "high_quote", "low_quote", "close_quote")
    return [
        *_has_types(
            texts=["market_id", "quote"], dates=["market_date"], numbers=[*prices, "volume_base", "volume_quote"]
        ),
        *_is_landed(("market_id", "market_date"), required=(*prices, "quote")),
        *(_between(price, 0, HIGHEST_PRICE, strict_min=True) for price in prices),
        *(_at_least("high_quote", price, severity="warning") for price in ("open_quote", "close_quote", "low_quote")),
        *(_at_least(price, "low_quote", severity="warning") for price in ("open_quote", "close_quote")),
        _between("volume_base", 0, None),
        _between("volume_quote", 0, HIGHEST_USD_AMOUNT, severity="warning"),
        *_is_fresh(as_of, days_allowed),
        *_covers("market_id", previous),
    ]


def asset_metrics_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 3
) -> list[ExpectationSpec]:
    """Expectations of coinmetrics/asset_metrics, one row per feed, asset, day and metric.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of; metrics are a day late.
    """
    texts = ("feed", "asset", "metric")
    return [
        *_has_types(texts=texts, dates=["market_date"], numbers=["value"]),
        *_is_landed((*texts, "market_date")),
        ExpectationSpec("expect_column_values_to_match_regex", "asset", {"regex": r"^[a-z0-9][a-z0-9._\-]*$"}),
        ExpectationSpec("expect_column_values_to_not_be_null", "value", {"mostly": 0.95}, severity="warning"),
        *_is_fresh(as_of, days_allowed),
        *_covers("asset", previous),
    ]


def fear_greed_suite(
    *, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 2
) -> list[ExpectationSpec]:
    """Expectations of alternative_me/fear_greed, one row per day.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first; its rows, as there are no tokens.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    return [
        *_has_types(texts=["classification"], dates=["market_date"], numbers=["value"]),
        *_is_landed(("market_date",), required=("value",)),
        _between("value", 0, 100),
        ExpectationSpec(
            "expect_column_values_to_be_in_set",
            "classification",
            {"value_set": list(FEAR_AND_GREED)},
            severity="warning",
        ),
        *_is_fresh(as_of, days_allowed),
        *_covers("market_date", previous),
    ]


LANDING_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "coingecko/market_daily": market_daily_suite,
        "binance/candles_daily": candles_daily_suite,
        "coinmetrics/asset_metrics": asset_metrics_suite,
        "alternative_me/fear_greed": fear_greed_suite,
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""


def _has_types(
    *, texts: Sequence[str] = (), dates: Sequence[str] = (), numbers: Sequence[str] = ()
) -> list[ExpectationSpec]:
    # A list of types never matches pandas' str, only the expectation of a single type does.
    single = [*((column, "str") for column in texts), *((column, "datetime64") for column in dates)]
    return [
        *(ExpectationSpec("expect_column_values_to_be_of_type", column, {"type_": name}) for column, name in single),
        *(
            ExpectationSpec("expect_column_values_to_be_in_type_list", column, {"type_list": list(NUMBER_TYPES)})
            for column in numbers
        ),
    ]


def _is_landed(key: Sequence[str], *, required: Sequence[str] = ()) -> list[ExpectationSpec]:
    """Rows there are, keys and the columns of every landing file are known, and no load has a key twice."""
    known = (*key, *required, "source", "data_source", "available_at", "loaded_at", "load_id")
    return [
        ExpectationSpec("expect_table_row_count_to_be_between", None, {"min_value": 1}),
        *(ExpectationSpec("expect_column_values_to_not_be_null", column) for column in known),
        ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": [*key, "load_id"]}),
    ]


def _between(
    column: str, low: float, high: float | None, *, strict_min: bool = False, severity: Severity = "critical"
) -> ExpectationSpec:
    """Range of the known values; nulls pass."""
    limits = {"min_value": low, "strict_min": strict_min} | ({} if high is None else {"max_value": high})
    return ExpectationSpec("expect_column_values_to_be_between", column, limits, severity=severity)


def _at_least(higher: str, lower: str, *, severity: Severity) -> ExpectationSpec:
    pair = {"column_A": higher, "column_B": lower, "or_equal": True}
    return ExpectationSpec("expect_column_pair_values_a_to_be_greater_than_b", None, pair, severity=severity)


def _is_fresh(as_of: datetime, days_allowed: int) -> list[ExpectationSpec]:
    """The newest day lies at most some days before as_of."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    oldest = midnight - timedelta(days=days_allowed)
    return [
        ExpectationSpec("expect_column_max_to_be_between", "market_date", {"min_value": oldest}, severity="warning")
    ]


def _covers(column: str, previous: PreviousLoad | None) -> list[ExpectationSpec]:
    """A warning below nine tenths of what the load before had, critical below half."""
    if previous is None:
        return []
    shares: tuple[tuple[float, Severity], ...] = ((SHARE_EXPECTED, "warning"), (SHARE_REQUIRED, "critical"))
    return [
        ExpectationSpec(
            "expect_column_unique_value_count_to_be_between",
            column,
            {"min_value": math.ceil(share * previous.ids)},
            severity=severity,
        )
        for share, severity in shares
    ]
