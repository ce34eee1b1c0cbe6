"""What an investor in an index asks next: how much money it bears, how much the start mattered, and what paying in by parts came to.

Belongs here: three tables beside the figures, from levels that `index_backtest.py` has computed already.
Does not: the formulas (`models_ml.backtest`), net levels of further capitals: the four that are published are the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import polars as pl

from models_ml.backtest.capacity import capacity
from models_ml.backtest.plans import contribution_plans
from models_ml.backtest.start_dates import start_date_spread
from models_ml.indices.definition import IndexDefinition
from orchestration.lib.written_anew import write_anew

CREATE_TABLES = (
    """create table if not exists indices.capacity
    (index_id varchar, twin_id varchar, capacity_usd double, reason varchar, twin_annual_return double, smallest_capital_usd double,
    smallest_annual_return double, largest_capital_usd double, largest_annual_return double, first_date date, last_date date)""",
    """create table if not exists indices.start_dates
    (index_id varchar, benchmark varchar, metric varchar, median double, percentile_10 double, percentile_90 double,
    share_above_0 double, starts bigint, first_start date, last_start date)""",
    """create table if not exists indices.plans
    (index_id varchar, plan varchar, contributions bigint, paid_in_usd double, final_value_usd double, money_weighted_return double,
    first_date date, last_date date)""",
)
NAMES = ("capacity", "start_dates", "plans")


def clear_prospects(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty the three tables."""
    for name in NAMES:
        connection.execute(f"delete from indices.{name}")


def write_prospects(
    connection: duckdb.DuckDBPyConnection,
    definitions: Sequence[IndexDefinition],
    *,
    net: pl.DataFrame,
    levels: pl.DataFrame,
    benchmarks: Mapping[str, Sequence[str]],
) -> None:
    """Write the three tables anew.

    Args:
        connection: The warehouse with the tables.
        definitions: The indices in force.
        net: Net levels of every index for a grid of capitals (`net_levels`).
        levels: date, index_id, level: what one has after costs with a small capital, of every index and benchmark.
        benchmarks: Benchmarks of each index that is looked at.
    """
    twins = {
        each.index_id: each.twin
        for each in definitions
        if each.twin is not None and each.index_id in benchmarks and each.twin in benchmarks
    }
    own = levels.filter(pl.col("index_id").is_in(list(benchmarks)))
    found = {
        "capacity": capacity(_ends(net), twins),
        "start_dates": start_date_spread(levels, benchmarks),
        "plans": contribution_plans(own),
    }
    for name, rows in found.items():
        write_anew(connection, f"indices.{name}", rows)


def _ends(net: pl.DataFrame) -> pl.DataFrame:
    """Days on which the net levels of some index begin or end: returns between two of them are all that a capacity asks for."""
    days = net.group_by("index_id").agg(pl.col("date").min().alias("first"), pl.col("date").max().alias("last"))
    return net.filter(pl.col("date").is_in([*days["first"], *days["last"]]))
