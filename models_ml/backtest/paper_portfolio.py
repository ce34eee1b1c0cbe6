"""What the portfolio behind a net level holds, week by week: units, what they cost and what they are worth.

Belongs here: noting positions while `net_levels.py` walks through the days, and the cost basis of each.
Does not: the trades themselves (`net_levels.py`), orders on a venue (`models_ml/orders`).

Cost basis is the average cost method: a purchase adds what was paid with its costs, a sale takes the same fraction of the
basis as it takes of the units. What sales have gained or lost is in the cash and in the level, not here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.backtest.errors import BacktestDataError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CASH = "cash_usd"
"""Stands for a token_id in the row of the dollars; coins of the providers have no underscore in their id."""

SUNDAY = 6
ONE_DAY = dt.timedelta(days=1)

HOLDING_SCHEMA: dict[str, pl.DataType] = {
    "as_of_week": pl.Date(),
    "index_id": pl.String(),
    "token_id": pl.String(),
    "units": pl.Float64(),
    "price_usd": pl.Float64(),
    "value_usd": pl.Float64(),
    "weight": pl.Float64(),
    "cost_basis_usd": pl.Float64(),
    "unrealised_return": pl.Float64(),
}


@dataclass
class WeeklyHoldings:
    """Positions of the portfolios with one capital, at the close of every Sunday after the trades made at it.

    Hand it to `net_levels`, which fills it; `frame` has the rows then.

    Attributes:
        capital_usd: Which of the capitals.
    """

    capital_usd: float
    _weeks: list[tuple[dt.date, Floats, Floats, Floats, Floats]] = field(default_factory=list)

    def begin(
        self,
        *,
        index_ids: Sequence[str],
        token_ids: Sequence[str],
        tokens: Integers,
        owners: Integers,
        began: Integers,
        first: dt.date,
        capitals_usd: Sequence[float],
    ) -> None:
        """Learn what the walk's arrays stand for.

        Args:
            index_ids: Indices by their number.
            token_ids: Tokens by their number.
            tokens: Token of each pair of an index and a token.
            owners: Index of each pair.
            began: Row of the first rebalance of each index.
            first: Day of the first row.
            capitals_usd: Capitals in their order.

        Raises:
            BacktestDataError: The capital is none of them.
        """
        if self.capital_usd not in capitals_usd:
            raise BacktestDataError(
                f"capital_usd is {self.capital_usd:g}, which is not walked; it must be one of {list(capitals_usd)}"
            )
        self._position = list(capitals_usd).index(self.capital_usd)
        self._index_ids, self._token_ids = list(index_ids), list(token_ids)
        self._tokens, self._owners, self._began, self._first = tokens, owners, began, first
        self._basis = np.zeros(len(owners))
        self._weeks = []

    def note_trades(self, pairs: Integers, *, held: Floats, sold: Floats, bought: Floats, cost: Floats) -> None:
        """Take over the trades of a day: USD by capital and pair, `cost` that of the purchases."""
        at = self._position
        kept = 1 - np.divide(sold[at], held[at], out=np.zeros(len(pairs)), where=held[at] > 0)
        self._basis[pairs] = self._basis[pairs] * kept + bought[at] + cost[at]

    def note_close(self, row: int, *, units: Floats, prices: Floats, cash: Floats) -> None:
        """Keep the positions of a Sunday: units by capital and pair, prices by pair (0 for none), cash by capital and index."""
        day = self._first + ONE_DAY * row
        if day.weekday() == SUNDAY:
            at = self._position
            has_begun = self._began <= row
            self._weeks.append(
                (
                    day + ONE_DAY,
                    np.where(has_begun[self._owners], units[at], 0.0),
                    prices.copy(),  # the walk may fill the same array again
                    self._basis.copy(),
                    np.where(has_begun, cash[at], np.nan),
                )
            )

    def frame(self) -> pl.DataFrame:
        """Holdings by week, index and token.

        Returns:
            One row per week, index and token held, and one for its cash (token_id `cash_usd`, units and value in USD):
            as_of_week (the Monday after the close), index_id, token_id, units,
            price_usd (the newest close; null where it is older than the walk's rules give anything for),
            value_usd, weight (fraction of the portfolio, summing to 1; 0 where the whole portfolio is worth nothing),
            cost_basis_usd (what the units cost with their costs, by average cost),
            unrealised_return (value over cost basis less 1; null for cash).
        """
        parts = []
        for week, units, prices, basis, cash in self._weeks:
            pairs = np.flatnonzero(units > 0)
            indices = np.flatnonzero(~np.isnan(cash))
            values = units[pairs] * prices[pairs]
            worth = np.nan_to_num(cash) + np.bincount(
                self._owners[pairs], weights=values, minlength=len(self._index_ids)
            )
            owners = np.concatenate([self._owners[pairs], indices])
            value = np.concatenate([values, cash[indices]])
            parts.append(
                {
                    "as_of_week": np.full(len(owners), week, dtype="datetime64[D]"),
                    "owner": owners,
                    "token": np.concatenate([self._tokens[pairs], np.full(len(indices), len(self._token_ids))]),
                    "units": np.concatenate([units[pairs], cash[indices]]),
                    "price_usd": np.concatenate([prices[pairs], np.ones(len(indices))]),
                    "value_usd": value,
                    "weight": np.divide(value, worth[owners], out=np.zeros(len(value)), where=worth[owners] > 0),
                    "cost_basis_usd": np.concatenate([basis[pairs], cash[indices]]),
                }
            )
        if not parts:
            return pl.DataFrame(schema=HOLDING_SCHEMA)
        rows = pl.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        index_ids = pl.Series(self._index_ids, dtype=pl.String)
        token_ids = pl.Series([*self._token_ids, CASH], dtype=pl.String)
        gain = pl.when(pl.col("token") < len(self._token_ids), pl.col("cost_basis_usd") > 0).then(
            pl.col("value_usd") / pl.col("cost_basis_usd") - 1
        )
        return (
            rows.with_columns(
                index_id=index_ids.gather(rows["owner"]),
                token_id=token_ids.gather(rows["token"]),
                price_usd=pl.when(pl.col("price_usd") > 0).then(pl.col("price_usd")),
                unrealised_return=gain,
            )
            .select(pl.col(name).cast(dtype) for name, dtype in HOLDING_SCHEMA.items())
            .sort("as_of_week", "index_id", "token_id")
        )
