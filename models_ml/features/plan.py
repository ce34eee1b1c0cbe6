"""Shares what features have in common: every window is evaluated once, however many features read it.

Belongs here: taking expressions apart and the steps that evaluate them.
Does not: formulas (the family modules), the frames they are evaluated on (`compute.py`).

polars shares common parts of plain expressions by itself, but not within `over`. So an expression is taken apart where it looks at
other rows (`shift`, `rolling_*` and all else that is not known to work row by row): such a node becomes a column of its own, within the
token, and what is left works row by row.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from models_ml.features.feature import Feature

STEP = "step_"

ROW_BY_ROW = frozenset(
    {"Abs", "Clip", "Coalesce", "Exp", "FillNull", "Log", "Log1p", "Negate", "Pow", "Sign", "ToPhysical"}
)
"""Functions that look at one row only; one that is missing here is evaluated within the token, which is slower but right."""

ROW_BY_ROW_TESTS = frozenset({"IsNull", "IsNotNull", "IsFinite", "IsNan", "Not"})


@dataclass(frozen=True)
class Plan:
    """Steps whose columns build on those before them, then one row-by-row expression a feature.

    Attributes:
        steps: Columns to add, one list after the other; `token` is the name of the column with the token's number.
        values: The features by name.
    """

    steps: tuple[tuple[pl.Expr, ...], ...]
    values: dict[str, pl.Expr]

    def evaluate(self, prepared: pl.DataFrame) -> pl.DataFrame:
        """The frame with the columns of all steps."""
        for step in self.steps:
            prepared = prepared.with_columns(step)
        return prepared


@dataclass
class _Parts:
    names: dict[str, str] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    columns: dict[int, list[pl.Expr]] = field(default_factory=dict)

    def add(self, node: dict[str, Any], level: int, *, within: str | None) -> dict[str, Any]:
        """The column that stands for a node, made at its level when the node is new."""
        text = json.dumps(node, sort_keys=True)
        if text not in self.names:
            name = f"{STEP}{len(self.names)}"
            expr = _read(node)
            self.names[text], self.levels[name] = name, level
            self.columns.setdefault(level, []).append((expr.over(within) if within else expr).alias(name))
        return {"Column": self.names[text]}


def plan(features: Sequence[Feature], *, token: str) -> Plan:
    """Take the expressions of features apart.

    Args:
        features: What is to be evaluated.
        token: Column whose runs of equal values are the tokens.

    Returns:
        The steps and values; the same numbers as each expression `over` the token gives.
    """
    parts = _Parts()
    values = {}
    for feature in features:
        node, _ = _split(json.loads(feature.expr.meta.serialize(format="json")), parts, token)
        values[feature.name] = _read(node)
    return Plan(tuple(tuple(parts.columns[level]) for level in sorted(parts.columns)), values)


def _read(node: dict[str, Any]) -> pl.Expr:
    return pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")


def _split(node: Any, parts: _Parts, token: str) -> tuple[Any, int]:
    """The node with columns in place of its windows, and the level from which on it can be evaluated."""
    if not isinstance(node, dict):
        return node, 0
    (kind, body), *_ = node.items()
    if kind == "Column":
        return node, parts.levels.get(body, 0)
    if kind == "Literal":
        return node, 0
    if kind in ("BinaryExpr", "Ternary", "Cast"):
        split = {name: _split(part, parts, token) if name != "dtype" else (part, 0) for name, part in body.items()}
        return {kind: {name: part for name, (part, _) in split.items()}}, max(level for _, level in split.values())
    if kind != "Function":
        return parts.add(node, 1, within=token), 1
    arguments = [_split(argument, parts, token) for argument in body["input"]]
    level = max(level for _, level in arguments)
    if _is_row_by_row(body["function"]):
        return {kind: {**body, "input": [argument for argument, _ in arguments]}}, level
    inputs = []
    for argument, needs in arguments:
        is_plain = not isinstance(argument, dict) or next(iter(argument)) in ("Column", "Literal")
        inputs.append(argument if is_plain else parts.add(argument, needs + 1, within=None))
        level = max(level, needs if is_plain else needs + 1)
    return parts.add({kind: {**body, "input": inputs}}, level + 1, within=token), level + 1


def _is_row_by_row(function: Any) -> bool:
    name, detail = (function, None) if isinstance(function, str) else next(iter(function.items()))
    return name in ROW_BY_ROW or (name == "Boolean" and detail in ROW_BY_ROW_TESTS)
