"""What must hold of the marts that leave: types, keys, and ranges that names and units promise.

The suites are made from dbt's manifest, so a new mart has one without a further line: the contract gives names and types, the
test of the grain the key, and the description of a column its unit, which says the range (`0-1`, `0-100`, `-1 to 1`).
They judge the newest days, where publishing can go wrong; that the whole history keeps its contract is dbt's matter.

Belongs here: expectations of marts and quality tables that dbt builds. Does not: versioned tables (`suites_published.py`), running
suites (`expectations.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from orchestration.lib.expectations import ExpectationSpec
from orchestration.lib.suite_parts import between

SCHEMAS = ("marts", "quality")
JUDGED_DAYS = 35
"""Newest days that are judged of a table with days; a table without any is judged whole."""

TEXTS = ("varchar", "text")
WHOLE_NUMBERS = ("tinyint", "smallint", "integer", "int", "bigint", "hugeint")
NUMBERS = (*WHOLE_NUMBERS, "double", "float", "real")

UNITS: tuple[tuple[re.Pattern[str], float, float | None], ...] = (
    (re.compile(r"(?<![\d.-])-1 to 1\b"), -1, 1),
    (re.compile(r"(?<![\d.-])0-100\b"), 0, 100),
    (re.compile(r"(?<![\d.-])0-1\b(?!\d)"), 0, 1),
)
"""Ranges as descriptions write them."""

AMOUNT = re.compile(
    r"^(?:.*_)?(?:close|market_cap|volume|tvl|open_interest|depth|fees|supply)(?:_\w+)?_(?:usd|tokens)$"
)
MOVES = re.compile(r"change|growth|flow|net|difference|return|gain|shift")
PRICE = "price_usd"
WRONG_TYPES = "columns_of_wrong_type"
ROUNDING = 1e-5
"""Shares and correlations of single precision may pass their ends by so much."""


@dataclass(frozen=True)
class MartTable:
    """A table that dbt builds and that is published.

    Attributes:
        schema: marts or quality.
        name: Its name.
        types: Data types by column, as the contract has them, in lower case.
        descriptions: Descriptions by column.
        key: Columns that tell its rows apart; empty where no test says.
        required: Columns that its contract forbids to be null.
    """

    schema: str
    name: str
    types: Mapping[str, str]
    descriptions: Mapping[str, str]
    key: tuple[str, ...]
    required: frozenset[str] = frozenset()

    @property
    def full_name(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"

    @property
    def window(self) -> str:
        """SQL condition on the rows that are judged; `$as_of` is the week's Monday."""
        return f"market_date >= $as_of - {JUDGED_DAYS}" if "market_date" in self.types else "$as_of is not null"


def mart_tables(manifest: Mapping[str, Any]) -> list[MartTable]:
    """The published tables among the models of dbt's manifest, by name."""
    nodes = manifest["nodes"]
    keys: dict[str, tuple[str, ...]] = {}
    for test in nodes.values():
        kind = (test.get("test_metadata") or {}).get("name")
        if kind == "unique_key":
            arguments = test["test_metadata"]["kwargs"]
            keys[test["attached_node"]] = tuple(arguments.get("columns") or arguments["arguments"]["columns"])
        elif kind == "unique":
            keys.setdefault(test["attached_node"], (test["column_name"],))
    found = [
        MartTable(
            schema=node["schema"],
            name=node["name"],
            types={name: str(column["data_type"] or "").lower() for name, column in node["columns"].items()},
            descriptions={name: str(column["description"]) for name, column in node["columns"].items()},
            key=keys.get(unique_id, ()),
            required=frozenset(
                name
                for name, column in node["columns"].items()
                if any(constraint["type"] == "not_null" for constraint in column.get("constraints") or [])
            ),
        )
        for unique_id, node in nodes.items()
        if node["resource_type"] == "model" and node["schema"] in SCHEMAS
    ]
    return sorted(found, key=lambda table: table.full_name)


def mart_suite(table: MartTable) -> list[ExpectationSpec]:
    """Types and key, critical; ranges, critical for prices and a warning elsewhere, since real data leaves them now and then."""
    suite = [
        ExpectationSpec(
            "expect_column_values_to_be_in_set", WRONG_TYPES, {"value_set": [""]}, derive=_wrong_types(table)
        ),
        *(
            ExpectationSpec("expect_column_values_to_not_be_null", column)
            for column in table.key
            if column in table.required
        ),
    ]
    if len(table.key) > 1:
        suite.append(ExpectationSpec("expect_compound_columns_to_be_unique", None, {"column_list": list(table.key)}))
    elif table.key:
        suite.append(ExpectationSpec("expect_column_values_to_be_unique", table.key[0]))
    numbers = [name for name, data_type in table.types.items() if data_type in NUMBERS]
    return [*suite, *(limit for name in numbers if (limit := _range(table, name)))]


def _wrong_types(table: MartTable) -> Callable[[pd.DataFrame], pd.Series]:
    """Names the columns that are missing or of another kind than the contract has; empty where all is right.

    One expectation for all columns: one for each takes longer than all the rest of a wide table.
    """

    def name_them(rows: pd.DataFrame) -> pd.Series:
        wrong = [
            f"{name} is {rows[name].dtype if name in rows else 'missing'}"
            for name, data_type in table.types.items()
            if name not in rows or not _is_kind(rows[name], data_type)
        ]
        return pd.Series(", ".join(wrong), index=rows.index, dtype="str")

    return name_them


def _is_kind(values: pd.Series, data_type: str) -> bool:
    """Whether a column holds what a data type of DuckDB becomes in pandas; columns of nulls alone have any type."""
    kinds = pd.api.types
    if data_type in TEXTS:
        return kinds.is_string_dtype(values) or bool(values.isna().all())
    if data_type in NUMBERS:
        return kinds.is_numeric_dtype(values) and not kinds.is_bool_dtype(values)
    if data_type == "boolean":
        return kinds.is_bool_dtype(values.dropna().infer_objects()) or bool(values.isna().all())
    if data_type == "date" or data_type.startswith("timestamp"):
        return kinds.is_datetime64_any_dtype(values)
    return True


def _range(table: MartTable, column: str) -> ExpectationSpec | None:
    """The range a number is promised to lie in, by its unit or its name."""
    if column == PRICE:
        return between(column, 0, None, strict_min=True)
    for unit, low, high in UNITS:
        if unit.search(table.descriptions[column]):
            return between(column, low - ROUNDING, None if high is None else high + ROUNDING, severity="warning")
    if MOVES.search(column):
        return None
    if AMOUNT.match(column) or table.types[column] in WHOLE_NUMBERS:
        return between(column, 0, None, severity="warning")
    return None
