"""What must hold of landed macro series.

Belongs here: suites of FRED's datasets. Does not: the fear and greed index (`suites_landing.py`), running them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import PreviousLoad, between, covers, has_types, is_fresh, is_landed


def series_suite(*, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int) -> list[ExpectationSpec]:
    """Expectations of fred/series_*, one row per feed, series and period.

    Args:
        as_of: Instant the data are for.
        previous: The load before, None for the first.
        days_allowed: How many days the newest market_date may lie before the day of as_of.
    """
    key = ("feed", "series_id", "market_date")
    return [
        *has_types(texts=["feed", "series_id"], dates=["market_date"], numbers=["value"]),
        *is_landed(key, required=("value",)),
        ExpectationSpec("expect_column_values_to_match_regex", "series_id", {"regex": r"^[A-Z0-9_]+$"}),
        # The largest is the Federal Reserve's balance sheet in millions, the smallest a spread.
        between("value", -100, 1e8),
        *is_fresh(as_of, days_allowed),
        *covers("feed", previous),
    ]


MACRO_SUITES: Mapping[str, Callable[..., list[ExpectationSpec]]] = MappingProxyType(
    {
        "fred/series_daily": partial(series_suite, days_allowed=9),  # known four days late, and a long weekend
        "fred/series_weekly": partial(series_suite, days_allowed=18),
        "fred/series_monthly": partial(series_suite, days_allowed=75),
    }
)
"""Suites by `source/dataset`; each takes as_of, previous and days_allowed."""
