"""How much money an index bears: the capital at which its costs have eaten what it earns above its passive twin.

Belongs here: interpolating the capital from net levels on a grid of capitals.
Does not: the net levels (`net_levels.py`), whether the advantage was luck (`statistics.py`).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence

import polars as pl

from models_ml.backtest.errors import BacktestDataError, with_columns_of
from models_ml.features.feature import DAYS_A_YEAR

CAPACITY_GRID_USD = tuple(float(10 ** (4 + step / 2)) for step in range(11))
"""10 thousand to 1 billion USD, two capitals a decade: what to compute net levels of before asking for a capacity."""

TWIN_CAPITAL_USD = 1e4

NET_LEVEL_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "index_id": pl.String(),
    "capital_usd": pl.Float64(),
    "level_net": pl.Float64(),
}
CAPACITY_SCHEMA: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "twin_id": pl.String(),
    "capacity_usd": pl.Float64(),
    "reason": pl.String(),
    "twin_annual_return": pl.Float64(),
    "smallest_capital_usd": pl.Float64(),
    "smallest_annual_return": pl.Float64(),
    "largest_capital_usd": pl.Float64(),
    "largest_annual_return": pl.Float64(),
    "first_date": pl.Date(),
    "last_date": pl.Date(),
}


def capacity(
    net: pl.DataFrame, twins: Mapping[str, str], *, twin_capital_usd: float = TWIN_CAPITAL_USD
) -> pl.DataFrame:
    """Capital at which each index earns, net, what its twin does with a small one.

    The annual return of each capital is taken over the days that index and twin both have. Between two capitals of the
    grid it is a straight line in the logarithm of the capital; the first crossing counts, because beyond it more money
    was a mistake already.

    Args:
        net: One row per index, capital and day, as `net_levels` gives them: of each index on a grid of capitals
            (`CAPACITY_GRID_USD`), of each twin at `twin_capital_usd`.
        twins: The benchmark of each index, by index_id.
        twin_capital_usd: Capital of the twin.

    Returns:
        One row per index of `twins`: index_id, twin_id, capacity_usd (null where there is none), reason (why not, else
        null), the compounded annual returns (fractions) of the twin and at both ends of the grid, and the days between
        which they are measured; by index_id.

    Raises:
        BacktestDataError: A column is missing, a row is there twice, or an index or twin has no levels.
    """
    key = ("index_id", "capital_usd", "date")
    levels = with_columns_of(net, NET_LEVEL_SCHEMA, what="net levels", key=key).sort(key)
    found = [_of_index(levels, index_id, twins[index_id], twin_capital_usd) for index_id in sorted(twins)]
    return pl.DataFrame(found, schema=CAPACITY_SCHEMA, orient="row")


def _of_index(levels: pl.DataFrame, index_id: str, twin_id: str, twin_capital_usd: float) -> tuple[object, ...]:
    own = levels.filter(pl.col("index_id") == index_id)
    twin = levels.filter((pl.col("index_id") == twin_id) & (pl.col("capital_usd") == twin_capital_usd))
    for name, rows in ((index_id, own), (f"{twin_id} at {twin_capital_usd:,.0f} USD", twin)):
        if rows.is_empty():
            raise BacktestDataError(f"net levels: none of {name}; compute them before asking for a capacity")
    both = own.join(twin.select("date"), on="date", how="semi")
    if both["date"].n_unique() < 2:
        nothing = (None,) * 7
        return (index_id, twin_id, None, f"{index_id} and {twin_id} share fewer than two days", *nothing)
    first, last = min(both["date"]), max(both["date"])
    target = _annual_returns(twin, first, last)[twin_capital_usd]
    returns = _annual_returns(both, first, last)
    capital, reason = first_crossing(list(returns), list(returns.values()), target=target)
    ends = (value for capital_usd in (min(returns), max(returns)) for value in (capital_usd, returns[capital_usd]))
    return (index_id, twin_id, capital, reason, target, *ends, first, last)


def first_crossing(
    capitals_usd: Sequence[float], returns: Sequence[float], *, target: float
) -> tuple[float | None, str | None]:
    """The capital at which returns first fall to a target, or None with the reason.

    Args:
        capitals_usd: The grid, ascending.
        returns: Net return of each.
        target: The return to fall to.
    """
    if returns[0] <= target:
        return None, (
            f"already at {capitals_usd[0]:,.0f} USD it earns {returns[0]:.2%} a year, not more than its twin's {target:.2%}"
        )
    for position in range(1, len(capitals_usd)):
        if returns[position] <= target:
            before, after = math.log(capitals_usd[position - 1]), math.log(capitals_usd[position])
            share = (returns[position - 1] - target) / (returns[position - 1] - returns[position])
            return math.exp(before + share * (after - before)), None
    return None, (
        f"even at {capitals_usd[-1]:,.0f} USD it earns {returns[-1]:.2%} a year, more than its twin's {target:.2%}"
    )


def _annual_returns(rows: pl.DataFrame, first: dt.date, last: dt.date) -> dict[float, float]:
    """Compounded annual return between two days by capital, ascending; -1 where all was lost."""
    before, after = pl.col("level_net").first(), pl.col("level_net").last()
    growth = (
        rows.filter(pl.col("date").is_in([first, last]))
        .sort("capital_usd", "date")
        .group_by("capital_usd", maintain_order=True)
        .agg(growth=pl.when(before > 0).then(after / before).otherwise(0.0))
    )
    years = (last - first).days / DAYS_A_YEAR
    return {capital: value ** (1 / years) - 1 for capital, value in growth.iter_rows()}
