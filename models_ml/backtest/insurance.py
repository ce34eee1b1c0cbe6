"""What a rotation into stablecoins costs and saves: an index with it against the same index without it, year by year.

Belongs here: returns of calendar years side by side, and the largest falls.
Does not: what the index without rotation would have held (`models_ml.indices.engine`), intervals (`statistics.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from models_ml.backtest.errors import with_columns_of
from models_ml.backtest.figures import largest_drawdown

LEVELS: dict[str, pl.DataType] = {"date": pl.Date(), "index_id": pl.String(), "level": pl.Float64()}

INSURANCE_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "year": pl.Int32(),
    "return_with": pl.Float64(),
    "return_without": pl.Float64(),
    "given_up": pl.Float64(),
    "is_bull_year": pl.Boolean(),
    "max_drawdown_with": pl.Float64(),
    "max_drawdown_without": pl.Float64(),
    "first_date": pl.Date(),
    "last_date": pl.Date(),
}


def price_of_insurance(levels: pl.DataFrame, uninsured: Mapping[str, str]) -> pl.DataFrame:
    """Return given up and fall avoided in each calendar year.

    Args:
        levels: One row per index and day: date, index_id, level (above 0).
        uninsured: The same index without rotation, by the id of the one with it.

    Returns:
        index_id, year, return_with and return_without (fractions, from the last day of the year before that both have, or from the first
        day, to the last of the year), given_up (without less with), is_bull_year (the index without rotation rose), max_drawdown_with and
        max_drawdown_without (largest falls within the year, fractions below 0), first_date, last_date of the days compared. Days on which
        one of the two has no level do not count.

    Raises:
        BacktestDataError: A column is missing, or a day is there twice.
    """
    rows = with_columns_of(levels, LEVELS, what="levels", key=("index_id", "date")).sort("index_id", "date")
    by_index = {str(index_id): part for (index_id,), part in rows.partition_by("index_id", as_dict=True).items()}
    nothing = pl.DataFrame(schema=LEVELS)
    found: list[tuple[object, ...]] = []
    for index_id, other in sorted(uninsured.items()):
        both = (
            by_index.get(index_id, nothing)
            .join(by_index.get(other, nothing), on="date", suffix="_without")
            .sort("date")
            .select("date", "level", "level_without")
        )
        found += [(index_id, *year) for year in _years(both)]
    return pl.DataFrame(found, schema=INSURANCE_SCHEMA, orient="row")


def _years(both: pl.DataFrame) -> list[tuple[object, ...]]:
    """Figures of each calendar year, in the order of `INSURANCE_SCHEMA` without the index."""
    days: list[dt.date] = both["date"].to_list()
    insured, plain = both["level"].to_numpy(), both["level_without"].to_numpy()
    ends = [
        position
        for position, day in enumerate(days)
        if position + 1 == len(days) or days[position + 1].year != day.year
    ]
    found: list[tuple[object, ...]] = []
    start = 0
    for end in ends:
        if end > start:
            with_it, without = (float(values[end] / values[start] - 1) for values in (insured, plain))
            falls = [largest_drawdown(values[start : end + 1]).depth for values in (insured, plain)]
            found.append(
                (days[end].year, with_it, without, without - with_it, without > 0, *falls, days[start], days[end])
            )
        start = end
    return found
