"""The market as dense arrays, days x tokens, and rebalances as goals: what the walk over days reads.

Belongs here: the layout that makes the walk fast.
Does not: what a trade costs (`costs.py`), the walk itself (`net_levels.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.costs import DEFAULT_COSTS, TradingCosts, cost_inputs
from models_ml.backtest.errors import BacktestDataError, with_columns_of
from models_ml.indices.market import PRICE_SCHEMA, PriceLookup, day_number
from models_ml.indices.state import Rebalance

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

REBALANCE_COLUMNS: dict[str, pl.DataType] = {
    "index_id": pl.String(),
    "effective_at": pl.Datetime("us", "UTC"),
    "token_id": pl.String(),
    "target_weight": pl.Float64(),
}


@dataclass(frozen=True)
class Panel:
    """Closes, volumes and costs; each array has one row per day and one column per token.

    Attributes:
        first: Day of the first row.
        prices_usd: The close, the last known one where a day has none, 0 before the first.
        price_age_days: Days since the close used.
        volume_usd: Trusted volume of the day, 0 where unknown.
        linear_cost: As `cost_inputs` gives it, the last known one where a day has none.
        impact_per_root_usd: Likewise.
    """

    first: dt.date
    prices_usd: Floats
    price_age_days: Integers
    volume_usd: Floats
    linear_cost: Floats
    impact_per_root_usd: Floats

    @classmethod
    def of(
        cls,
        daily: pl.DataFrame,
        *,
        token_ids: Sequence[str],
        first: dt.date,
        last: dt.date,
        costs: TradingCosts | None,
    ) -> Panel:
        """Arrange daily rows; where `costs` is None volumes are still read, and every trade is free.

        Raises:
            BacktestDataError: A column is missing, or a token has a day twice.
        """
        inputs = cost_inputs(daily.filter(pl.col("token_id").is_in(token_ids)), costs or DEFAULT_COSTS)
        prices = with_columns_of(daily, PRICE_SCHEMA, what="daily", key=("token_id", "market_date"))
        block = PriceLookup(prices).block(token_ids, first, last)
        numbers = np.arange(day_number(first), day_number(last) + 1, dtype=np.int64)
        shape = block.prices_usd.shape
        columns = pl.DataFrame({"token_id": token_ids, "column": np.arange(len(token_ids))})
        rows = (
            inputs.filter(pl.col("market_date") <= last)
            .join(columns, on="token_id", maintain_order="left")
            .with_columns(row=pl.col("market_date").to_physical().cast(pl.Int64) - day_number(first))
        )
        unknown = costs.unknown_linear_cost if costs is not None else 0.0
        linear, impact = np.full(shape, unknown), np.zeros(shape)
        if costs is not None:
            linear = _carried(rows, "linear_cost", shape, default=unknown)
            impact = _carried(rows, "impact_per_root_usd", shape, default=0.0)
        known = rows.filter((pl.col("row") >= 0) & pl.col("volume_usd").is_not_null())
        volume = np.zeros(shape)
        volume[known["row"].to_numpy(), known["column"].to_numpy()] = known["volume_usd"].to_numpy()
        return cls(
            first=first,
            prices_usd=np.nan_to_num(block.prices_usd),
            price_age_days=numbers[:, None] - block.priced_on,
            volume_usd=volume,
            linear_cost=linear,
            impact_per_root_usd=impact,
        )


@dataclass(frozen=True)
class Goal:
    """What an index is to hold from a close on: weights that sum to 1, of tokens by their number, in ascending order."""

    close_date: dt.date
    tokens: Integers
    weights: Floats


@dataclass(frozen=True)
class Goals:
    """The goals of every index in the order of time, and the tokens that their numbers stand for."""

    token_ids: list[str]
    by_index: dict[str, list[Goal]]

    @property
    def first(self) -> dt.date:
        """The earliest close at which one of the indices buys."""
        return min(goals[0].close_date for goals in self.by_index.values())

    @classmethod
    def of(cls, rebalances: pl.DataFrame, *, last: dt.date) -> Goals:
        """Arrange rebalances, those priced after `last` left out; of two at one close the later one counts.

        Args:
            rebalances: One row per index, instant and token: index_id, effective_at, token_id, target_weight (not
                negative; 0 for a token that leaves).
            last: Last day with a close.

        Raises:
            BacktestDataError: A column is missing, a token is there twice, a weight is negative or unknown, or a
                rebalance holds nothing.
        """
        key = ("index_id", "effective_at", "token_id")
        rows = with_columns_of(rebalances, REBALANCE_COLUMNS, what="rebalances", key=key).sort(key)
        weight = pl.col("target_weight")
        wrong = rows.filter(weight.is_null() | ~weight.is_finite() | (weight < 0)).head(1)
        if wrong.height:
            values = ", ".join(str(wrong[column][0]) for column in key)
            raise BacktestDataError(
                f"rebalances: {values} has the weight {wrong['target_weight'][0]}; 0 or more is needed"
            )
        held = rows.filter(weight > 0)
        empty = rows.join(held, on=key[:2], how="anti").head(1)
        if empty.height:
            raise BacktestDataError(
                f"rebalances: {empty['index_id'][0]}, {empty['effective_at'][0]} holds no token; weights must sum to 1"
            )
        instants = held["effective_at"].unique().sort()
        closes = {instant: Rebalance(instant.astimezone(dt.UTC), ()).close_date for instant in instants}
        token_ids = held["token_id"].unique().sort().to_list()
        tokens = held["token_id"].cast(pl.Enum(token_ids)).to_physical().cast(pl.Int64).to_numpy()
        weights = held["target_weight"].to_numpy()
        by_index: dict[str, dict[dt.date, Goal]] = {}
        end = 0
        sizes = held.group_by(key[:2], maintain_order=True).len()
        for index_id, instant, size in sizes.iter_rows():
            start, end = end, end + size
            if closes[instant] <= last:
                goal = Goal(closes[instant], tokens[start:end], weights[start:end] / weights[start:end].sum())
                by_index.setdefault(index_id, {})[goal.close_date] = goal
        return cls(token_ids, {index_id: list(goals.values()) for index_id, goals in by_index.items()})


def _carried(rows: pl.DataFrame, column: str, shape: tuple[int, ...], *, default: float) -> Floats:
    """Values by day and token, each carried until the next; `default` before the first. Rows are by token and day."""
    values = np.full(shape, np.nan)
    # Days before the first row all fall on it, in order, so that the newest of them stays.
    values[np.maximum(rows["row"].to_numpy(), 0), rows["column"].to_numpy()] = rows[column].to_numpy()
    is_known = ~np.isnan(values)
    newest = np.maximum.accumulate(np.where(is_known, np.arange(shape[0])[:, None], -1), axis=0)
    taken = np.take_along_axis(values, np.maximum(newest, 0), axis=0)
    return np.where(newest >= 0, taken, default)
