"""Expectations that many landing suites share: types, keys, ranges, freshness, coverage.

Belongs here: parts of suites. Does not: the suites (`suites_*.py`), running them (`expectations.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.lib.expectations import ExpectationSpec, Severity

# Names that Great Expectations resolves to numpy's types or to pandas' classes, whatever of them a frame happens to
# use.
NUMBER_TYPES = (
    *("float64", "float32", "int64", "int32", "int16", "int8"),
    *("Float64Dtype", "Float32Dtype", "Int64Dtype", "Int32Dtype", "Int16Dtype", "Int8Dtype"),
)

SHARE_EXPECTED = 0.9
"""Of the tokens of the load before."""


@dataclass(frozen=True)
class PreviousLoad:
    """How much the load before had, to notice a feed that shrinks.

    Attributes:
        ids: Distinct tokens, markets or assets; for a dataset without any, the rows.
    """

    ids: int


def has_types(
    *, texts: Sequence[str] = (), dates: Sequence[str] = (), numbers: Sequence[str] = ()
) -> list[ExpectationSpec]:
    """Columns have the types of landed files."""
    # A list of types never matches pandas' str, only the expectation of a single type does.
    single = [*((column, "str") for column in texts), *((column, "datetime64") for column in dates)]
    return [
        *(ExpectationSpec("expect_column_values_to_be_of_type", column, {"type_": name}) for column, name in single),
        *(
            ExpectationSpec("expect_column_values_to_be_in_type_list", column, {"type_list": list(NUMBER_TYPES)})
            for column in numbers
        ),
    ]


def is_landed(key: Sequence[str], *, required: Sequence[str] = ()) -> list[ExpectationSpec]:
    """Rows there are, keys and the columns of every landing file are known, and no load has a key twice."""
    known = (*key, *required, "source", "data_source", "available_at", "loaded_at", "load_id")
    return [
        ExpectationSpec("expect_table_row_count_to_be_between", None, {"min_value": 1}),
        *(ExpectationSpec("expect_column_values_to_not_be_null", column) for column in known),
        ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": [*key, "load_id"]}),
    ]


def between(
    column: str, low: float, high: float | None, *, strict_min: bool = False, severity: Severity = "critical"
) -> ExpectationSpec:
    """Range of the known values; nulls pass."""
    limits = {"min_value": low, "strict_min": strict_min} | ({} if high is None else {"max_value": high})
    return ExpectationSpec("expect_column_values_to_be_between", column, limits, severity=severity)


def at_least(higher: str, lower: str, *, severity: Severity) -> ExpectationSpec:
    """One column is nowhere below another."""
    pair = {"column_A": higher, "column_B": lower, "or_equal": True}
    return ExpectationSpec("expect_column_pair_values_a_to_be_greater_than_b", None, pair, severity=severity)


def is_fresh(as_of: datetime, days_allowed: int) -> list[ExpectationSpec]:
    """The newest day lies at most some days before as_of."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    oldest = midnight - timedelta(days=days_allowed)
    return [
        ExpectationSpec("expect_column_max_to_be_between", "market_date", {"min_value": oldest}, severity="warning")
    ]


def covers(column: str, previous: PreviousLoad | None) -> list[ExpectationSpec]:
    """A warning below nine tenths of what the load before had: a source that shrinks costs its features, not the run."""
    if previous is None:
        return []
    fewest = math.ceil(SHARE_EXPECTED * previous.ids)
    return [
        ExpectationSpec(
            "expect_column_unique_value_count_to_be_between", column, {"min_value": fewest}, severity="warning"
        )
    ]
