"""Suites of datasets that only an archive or a list brings, made from the registry of datasets: types, key, and amounts not below zero.

They say what the registry promises and no more: neither freshness nor coverage, since a file of an archive ends when it ends. What
is known to be dirty in them is a warning.

Belongs here: suites without expectations of their own. Does not: those of the sources that runs ask (`suites_*.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import PreviousLoad, between, has_types
from orchestration.sources.datasets import Dataset

AMOUNT = re.compile(
    r"USD|tokens|per token|per unit|articles|mentions|repositories|tweets|users|points$|position|hour|fraction"
)
SIGNED = ("trade_tokens", "trade_usd")
"""Columns that say what was bought (above zero) or sold (below)."""


def registry_suite(dataset: Dataset) -> Callable[..., list[ExpectationSpec]]:
    """The suite of a dataset, by what the registry says of its columns."""

    def suite(*, as_of: datetime, previous: PreviousLoad | None = None, days_allowed: int = 0) -> list[ExpectationSpec]:
        kinds = {name: str(field.dtype) for name, field in dataset.fields.items()}
        numbers = [name for name, kind in kinds.items() if kind.startswith(("Int", "Float"))]
        known = [*dataset.key, "source", "data_source", "loaded_at", "load_id"]
        return [
            *has_types(
                texts=[name for name in dataset.key if kinds[name] == "String"],
                dates=[name for name in dataset.key if kinds[name] == "Date"],
                numbers=numbers,
            ),
            ExpectationSpec("expect_table_row_count_to_be_between", None, {"min_value": 1}),
            *(ExpectationSpec("expect_column_values_to_not_be_null", column) for column in known),
            ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": [*dataset.key, "load_id"]}),
            *(
                between(name, 0, None, severity="warning")
                for name in numbers
                if AMOUNT.search(dataset.fields[name].unit) and name not in SIGNED
            ),
        ]

    return suite
