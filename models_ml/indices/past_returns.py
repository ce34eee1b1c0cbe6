"""Daily returns of constituents up to a snapshot, for weights that rest on risk.

Belongs here: which closes count, and the volatility of one token.
Does not: weights from them (`weighting.py`, `optimised_weights.py`), volatility features (`models_ml/features`).
"""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.market import PriceLookup

Floats = npt.NDArray[np.float64]

LEAST_SHARE_OF_CLOSES = 0.8


@dataclass(frozen=True)
class PastReturns:
    """Simple daily returns of some tokens.

    Attributes:
        values: One row per day, oldest first, one column per token; NaN before a token's first close.
        is_measured: Whether a token has enough closes and has moved at all, one entry per token.
    """

    values: Floats
    is_measured: npt.NDArray[np.bool_]

    def volatilities(self) -> Floats:
        """Sample standard deviation of each token's daily returns, a fraction per day; NaN where it is not measured."""
        return np.where(self.is_measured, _deviations(self.values), math.nan)

    def of(self, columns: Sequence[int]) -> "PastReturns":
        """The same of some of the tokens."""
        return PastReturns(self.values[:, list(columns)], self.is_measured[list(columns)])

    def complete(self, columns: Sequence[int]) -> Floats:
        """Returns of some tokens on the days on which all of them have one."""
        chosen = self.values[:, list(columns)]
        return chosen[np.isfinite(chosen).all(axis=1)]


Past = Callable[[int], PastReturns]
"""The constituents' returns over so many days, columns in the order of their rows."""


def past_returns(prices: PriceLookup, token_ids: Sequence[str], day: dt.date, days: int) -> PastReturns:
    """Returns close over close of the `days` days up to `day`, both closes included; nothing later is asked for.

    A day without a close repeats the last one, as the index values it: its return is 0 and the next one makes up for it.
    A token is measured if it has a close of its own on at least 80 % of the `days` + 1 days, and not always the same.
    """
    block = prices.block(token_ids, day - dt.timedelta(days=days), day)
    closes = (block.priced_on == block.numbers[:, None]).sum(axis=0)
    values = block.prices_usd[1:] / block.prices_usd[:-1] - 1
    has_moved = _deviations(values) > 0
    return PastReturns(values, (closes >= math.ceil(LEAST_SHARE_OF_CLOSES * (days + 1))) & has_moved)


def _deviations(values: Floats) -> Floats:
    """Sample standard deviation of each column over its finite values, 0 where there are fewer than two."""
    columns = np.ascontiguousarray(values.T)
    is_known = np.isfinite(columns)
    deviations = np.zeros(len(columns))
    is_whole = is_known.all(axis=1)
    if columns.shape[1] > 1:
        deviations[is_whole] = columns[is_whole].std(axis=1, ddof=1)
    for position in np.flatnonzero(~is_whole & (is_known.sum(axis=1) > 1)):  # few: young tokens
        deviations[position] = columns[position, is_known[position]].std(ddof=1)
    return deviations
