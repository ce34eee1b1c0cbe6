"""Exceptions of the backtest package, and the check that a frame has the columns a function needs.

BacktestError
├── BacktestDataError   a frame lacks columns, repeats a key, has gaps, or names what is not there
└── NoRateError         cash flows that no single rate of return explains

Belongs here: the tree and `with_columns_of`. A figure that a series is too short for is no error: it is null.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl


class BacktestError(Exception):
    """Root of everything this package raises on purpose."""


class BacktestDataError(BacktestError, ValueError):
    """A frame handed in does not have the shape that is needed."""


class NoRateError(BacktestError, ValueError):
    """Cash flows have no rate of return, or more than one."""


def with_columns_of(
    rows: pl.DataFrame, schema: Mapping[str, pl.DataType], *, what: str, key: tuple[str, ...]
) -> pl.DataFrame:
    """The columns of `schema`, with its types.

    Args:
        rows: Any frame.
        schema: Columns needed and their types.
        what: What a message calls the frame.
        key: Columns that no two rows may share.

    Raises:
        BacktestDataError: A column is missing or of another kind, or two rows share the key.
    """
    missing = [column for column in schema if column not in rows.columns]
    if missing:
        raise BacktestDataError(f"{what}: column {', '.join(missing)} is missing; needed are {', '.join(schema)}")
    try:
        selected = rows.select(pl.col(column).cast(dtype) for column, dtype in schema.items())
    except (pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError) as error:
        raise BacktestDataError(f"{what}: a column does not have its type ({error}); needed are {schema}") from error
    repeated = selected.filter(pl.struct(key).is_duplicated()).head(1)
    if repeated.height:
        values = ", ".join(str(repeated[column][0]) for column in key)
        raise BacktestDataError(f"{what}: {values} is there more than once; pass one row per {', '.join(key)}")
    return selected
