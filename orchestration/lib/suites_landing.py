"""What must hold of landed datasets: types, keys, ranges, freshness against an as_of, coverage against the load before.

A suite is for the rows of one load, or of several: a key may come again in another load, never within one. Rows that
were malformed are in quarantine and not here, so a critical failure means that an adapter let something through, or
that a feed broke down; what real data is known to do now and then is a warning.

Belongs here: expectations of datasets that land. Does not: running them (`expectations.py`), cleaning (the dbt
project).
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
from orchestration.lib.suites_coingecko import COINGECKO_SUITES
from orchestration.lib.suites_defi import DEFI_SUITES
from orchestration.lib.suites_developers import DEVELOPER_SUITES
from orchestration.lib.suites_dex import DEX_SUITES
from orchestration.lib.suites_exchanges import EXCHANGE_SUITES
from orchestration.lib.suites_macro import MACRO_SUITES
from orchestration.lib.suites_news import NEWS_SUITES
from orchestration.lib.suites_registry import registry_suite
from orchestration.sources.datasets import DATASETS

FEAR_AND_GREED = ("Extreme Fear", "Fear", "Neutral", "Greed", "Extreme Greed")


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
        *has_types(texts=texts, dates=["market_date"], numbers=["value"]),
        *is_landed((*texts, "market_date")),
        ExpectationSpec("expect_column_values_to_match_regex", "asset", {"regex": r"^[a-z0-9][a-z0-9._\-]*$"}),
        ExpectationSpec("expect_column_values_to_not_be_null", "value", {"mostly": 0.95}, severity="warning"),
        *is_fresh(as_of, days_allowed),
        *covers("asset", previous),
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
        *has_types(texts=["classification"], dates=["market_date"], numbers=["value"]),
        *is_landed(("market_date",), required=("value",)),
        between("value", 0, 100),
        ExpectationSpec(
            "expect_column_values_to_be_in_set",
            "classification",
            {"value_set": list(FEAR_AND_GREED)},
            severity="warning",
        ),
        *is_fresh(as_of, days_allowed),
        *covers("market_date", previous),
    ]


OWN_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "coinmetrics/asset_metrics": asset_metrics_suite,
        "alternative_me/fear_greed": fear_greed_suite,
        **COINGECKO_SUITES,
        **DEFI_SUITES,
        **DEVELOPER_SUITES,
        **DEX_SUITES,
        **EXCHANGE_SUITES,
        **MACRO_SUITES,
        **NEWS_SUITES,
    }
)
"""Suites written for their dataset, by `source/dataset`."""

LANDING_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {dataset.label: OWN_SUITES.get(dataset.label) or registry_suite(dataset) for dataset in DATASETS.values()}
)
"""The suite of every dataset that can land; each takes as_of, previous and days_allowed."""
