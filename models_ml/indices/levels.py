"""Levels: units x price / divisor, chain-linked, so that a rebalance never moves the index.

Belongs here: what a basket of fixed units is worth from close to close.
Does not: which tokens it holds (`decision.py`), when it changes (`engine.py`).

Values are added one after another in a fixed order (of token_id, in a basket), as the published example this is held to
was computed: `math.fsum`, and `sum` from Python 3.12 on, differ from it in the last digit.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.market import NEVER, PriceLookup, day_of
from models_ml.indices.state import Rebalance, Target

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def divisor_for(units: Iterable[float], prices_usd: Iterable[float], *, level: float) -> float:
    """The divisor at which units bought at these prices are worth `level`.

    Source: S&P Dow Jones Indices, *Index Mathematics Methodology*, divisor; the same rule in every index replicated.
    """
    return market_value_usd(units, prices_usd) / level


def index_level(units: Iterable[float], prices_usd: Iterable[float], *, divisor: float) -> float:
    """Level of the index: sum of units x price, over the divisor."""
    return market_value_usd(units, prices_usd) / divisor


def market_value_usd(units: Iterable[float], prices_usd: Iterable[float]) -> float:
    """Sum of units x price."""
    return float(_added(np.array([unit * price for unit, price in zip(units, prices_usd, strict=True)])))


@dataclass(frozen=True, eq=False)
class Close:
    """A basket at a close.

    Attributes:
        day: The market_date.
        level: Level of the index.
        values_usd: What each holding is worth, in the order of the basket's holdings and in units of its divisor.
        total_usd: Their sum.
        priced_weight: Weight of the holdings with a recent price.
        price_numbers: `day_number` of the close that each is valued at, `NEVER` for one that never had any.
    """

    day: dt.date
    level: float
    values_usd: Floats
    total_usd: float
    priced_weight: float
    price_numbers: Integers

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights in the order of the basket's holdings, summing to 1."""
        return tuple((self.values_usd / self.total_usd).tolist())

    @property
    def priced_on(self) -> tuple[dt.date | None, ...]:
        """From which day each price is (None: never priced)."""
        return tuple(None if number == NEVER else day_of(number) for number in self.price_numbers.tolist())


@dataclass(frozen=True)
class Basket:
    """Units held from one rebalance to the next.

    `frozen_usd` is the value of holdings that have no price at all at the rebalance, which happens only where prices
    were withdrawn after it was published: they keep their value and count as unpriced.
    """

    effective_at: dt.datetime
    holdings: tuple[Target, ...]
    units: Floats
    frozen_usd: Floats
    divisor: float

    @classmethod
    def bought(cls, rebalance: Rebalance, *, level: float, prices: PriceLookup) -> "Basket":
        """Buy the target weights at the close the rebalance is priced at, where the index stands at `level`."""
        holdings = rebalance.held
        weights = np.array([target.weight for target in holdings])
        token_ids = [target.token_id for target in holdings]
        closes = prices.block(token_ids, rebalance.close_date, rebalance.close_date).prices_usd[0]
        has_price = ~np.isnan(closes)
        units = np.divide(weights, closes, out=np.zeros_like(weights), where=has_price)
        return cls(
            effective_at=rebalance.effective_at,
            holdings=holdings,
            units=units,
            frozen_usd=np.where(has_price, 0.0, weights),
            divisor=float(_added(weights)) / level,
        )

    def closes(self, prices: PriceLookup, first: dt.date, last: dt.date) -> list[Close]:
        """The basket at each close from `first` to `last`; a holding without a price keeps its last one."""
        if first > last:
            return []
        block = prices.block([target.token_id for target in self.holdings], first, last)
        values = np.nan_to_num(block.prices_usd) * self.units + self.frozen_usd
        is_priced = block.is_priced() & (self.units > 0)
        totals = _added(values)
        levels = totals / self.divisor
        priced_weights = _added(np.where(is_priced, values, 0.0)) / totals
        figures = zip(block.days, levels.tolist(), totals.tolist(), priced_weights.tolist(), strict=True)
        return [
            Close(day, level, values[row], total, priced_weight, block.priced_on[row])
            for row, (day, level, total, priced_weight) in enumerate(figures)
        ]


def basket_at(rebalances: Iterable[Rebalance], *, prices: PriceLookup) -> Basket | None:
    """The basket in force after a chain of rebalances whose first level is known.

    A later one whose level was never published buys at what the basket before it was worth at that close.
    """
    basket: Basket | None = None
    for rebalance in rebalances:
        level = rebalance.level
        if level is None and basket is not None:
            level = basket.closes(prices, rebalance.close_date, rebalance.close_date)[0].level
        if level is None:
            raise ValueError(f"the rebalance of {rebalance.effective_at} has no level to start the chain from")
        basket = Basket.bought(rebalance, level=level, prices=prices)
    return basket


def _added(values: Floats) -> Floats:
    """Sums of the last axis from left to right; `numpy.sum` would add in blocks."""
    return np.asarray(np.add.accumulate(values, axis=-1)[..., -1])
