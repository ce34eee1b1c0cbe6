"""How far back one must go for a value like today's: "lowest since 12 March 2020".

Belongs here: the last earlier day with a value at least as high or as low. Does not: which values (`orchestration/lib/market_tables.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl


def last_as_high(days: Sequence[date], values: Sequence[float | None]) -> list[date | None]:
    """The last earlier day whose value was at least that of each day: today's is the highest since then.

    Args:
        days: In order.
        values: One a day; a day without a value has no answer and is no answer.

    Returns:
        One day for each; None where no earlier value was as high: a record.
    """
    answers: list[date | None] = []
    # Days that may still be an answer: each lower than the one before it, for a later and higher one hides those behind it.
    standing: list[tuple[date, float]] = []
    for day, value in zip(days, values, strict=True):
        if value is None:
            answers.append(None)
            continue
        while standing and standing[-1][1] < value:
            standing.pop()
        answers.append(standing[-1][0] if standing else None)
        standing.append((day, value))
    return answers


def last_as_low(days: Sequence[date], values: Sequence[float | None]) -> list[date | None]:
    """The last earlier day whose value was at most that of each day, as `last_as_high`."""
    return last_as_high(days, [None if value is None else -value for value in values])


def with_extremes(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Add `<column>_highest_since_date` and `<column>_lowest_since_date` to rows with a market_date, in order of the days.

    Null in one of the two where the value is a record, in both where there is no value or none before it.
    """
    ordered = rows.sort("market_date")
    days = ordered["market_date"].to_list()
    added = []
    for column in columns:
        values = ordered[column].to_list()
        added.append(pl.Series(f"{column}_highest_since_date", last_as_high(days, values), dtype=pl.Date))
        added.append(pl.Series(f"{column}_lowest_since_date", last_as_low(days, values), dtype=pl.Date))
    return ordered.with_columns(added)
