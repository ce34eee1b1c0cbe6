"""What many variants hold, one row each, and what a trade makes of it.

Belongs here: the arrays that a walk changes, and the arithmetic of trades, costs and levels.
Does not: what is traded to (`targets.py`), on which day (`walk.py`, `midweek.py`).

A place holds one token of a variant: first those of its constituents, then those of its stablecoins. The position after the last
token stands for an empty place, whose weight is 0 and whose price is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models_ml.indices.state import SAME_SHARE
from models_ml.optimiser.rules import Rules
from models_ml.optimiser.tables import Tables

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

DAYS_A_WEEK = 7
BASIS_POINT = 1e-4
LONG_AGO = -(10**6)


@dataclass(frozen=True)
class Traded:
    """Trades of one close: which variants, and the tokens and weights they trade to."""

    day: int
    rows: Integers
    tokens: Integers
    weights: Floats


@dataclass
class Basket:
    """Holdings of every variant, one row each; `units` is weight over price when bought, `divisor` makes it the level.

    `share` is what was in stablecoins when it was traded, `since` the day number from whose 00:00 UTC on it is so.
    """

    tokens: Integers
    units: Floats
    divisor: Floats
    share: Floats
    since: Integers
    is_started: Booleans

    @classmethod
    def empty(cls, number: int, places: int, *, none: int) -> Basket:
        """Nothing yet."""
        return cls(
            tokens=np.full((number, places), none, dtype=np.int64),
            units=np.zeros((number, places)),
            divisor=np.ones(number),
            share=np.zeros(number),
            since=np.full(number, LONG_AGO, dtype=np.int64),
            is_started=np.zeros(number, dtype=bool),
        )

    def take(self, rows: Integers) -> Basket:
        """A copy of some rows."""
        return Basket(
            self.tokens[rows],
            self.units[rows],
            self.divisor[rows],
            self.share[rows],
            self.since[rows],
            self.is_started[rows],
        )


@dataclass(frozen=True)
class Pending:
    """Targets to trade to at a close; `rows` is empty where nothing trades."""

    rows: Integers
    tokens: Integers
    weights: Floats


@dataclass
class Holdings:
    """All variants in the making. `width` is the number of places for constituents, days count from the first decision's close."""

    rules: Rules
    tables: Tables
    cost_bps: float
    keeps_trades: bool
    width: int
    basket: Basket
    levels: Floats
    kept: Floats  # what costs have left of each variant, a factor
    turnover: Floats
    trades: Integers
    dense: Floats  # weights by token, zero between uses
    traded: list[Traded] = field(default_factory=list)

    @classmethod
    def at_start(cls, rules: Rules, tables: Tables, *, cost_bps: float, keeps_trades: bool) -> Holdings:
        """Variants that hold nothing."""
        number, width = len(rules), int(rules.count.max())
        # Twice as many: a stablecoin that is held stays beside the ones bought for another that fell.
        stables = max((2 * parking.most for parking in tables.parkings), default=0)
        return cls(
            rules=rules,
            tables=tables,
            cost_bps=cost_bps,
            keeps_trades=keeps_trades,
            width=width,
            basket=Basket.empty(number, width + stables, none=tables.none),
            levels=np.full((number, tables.prices_usd.shape[1]), np.nan),
            kept=np.ones(number),
            turnover=np.zeros(number),
            trades=np.zeros(number, dtype=np.int64),
            dense=np.zeros((number, tables.none + 1)),
        )

    def part(self, rows: Integers) -> Holdings:
        """Some variants, to decide for; what is traded is traded in the whole."""
        return replace(self, rules=self.rules.take(rows), basket=self.basket.take(rows), dense=self.dense[: len(rows)])

    def weights_on(self, rows: Integers, day: int) -> Floats:
        """Weights of some variants at a close, in the places of the basket."""
        worth = self.basket.units[rows] * self.tables.prices_usd[self.basket.tokens[rows], day]
        total = worth.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(worth, total, out=np.zeros_like(worth), where=total > 0))

    def record(self, pending: Pending, day: int) -> None:
        """Keep a trade where trades are kept."""
        if self.keeps_trades and len(pending.rows):
            self.traded.append(Traded(day, pending.rows, pending.tokens, pending.weights))

    def trade(self, pending: Pending, day: int) -> None:
        """Swap baskets at a close, at the level of the old one or at the base level, and take the costs.

        The level at that close stays as it is: costs show the day after.
        """
        if not len(pending.rows):
            return
        basket, rows, prices = self.basket, pending.rows, self.tables.prices_usd[:, day]
        each = np.arange(len(rows))[:, None]
        worth = basket.units[rows] * prices[basket.tokens[rows]]
        total = worth.sum(axis=1)
        was_started = basket.is_started[rows]
        level = np.where(was_started, total / basket.divisor[rows], self.rules.base_level[rows])
        held = np.divide(worth, total[:, None], out=np.zeros_like(worth), where=total[:, None] > 0)
        dense = self.dense[: len(rows)]
        dense[each, basket.tokens[rows]] = held
        dense[:, self.tables.none] = 0.0
        old = dense[each, pending.tokens]
        dense[each, basket.tokens[rows]] = 0.0
        moved = np.abs(pending.weights - old).sum(axis=1) + held.sum(axis=1) - old.sum(axis=1)
        self.turnover[rows] += np.where(was_started, moved / 2, 0.0)
        self.kept[rows] *= 1 - self.cost_bps * BASIS_POINT * moved
        self.trades[rows] += 1
        basket.tokens[rows] = pending.tokens
        basket.units[rows] = pending.weights / prices[pending.tokens]
        basket.divisor[rows] = pending.weights.sum(axis=1) / level
        basket.is_started[rows] = True
        share = pending.weights[:, self.width :].sum(axis=1)
        is_new = np.abs(share - basket.share[rows]) > SAME_SHARE
        basket.since[rows[is_new]] = day + 1
        basket.share[rows[is_new]] = share[is_new]
        self.record(pending, day)

    def value(self, rows: Integers, first: int, last: int) -> None:
        """Levels of some variants at the closes of some days, both included, by what they hold now."""
        block = self.tables.prices_usd[self.basket.tokens[rows], first : last + 1]
        worth = np.einsum("ps,psd->pd", self.basket.units[rows], block)
        self.levels[rows, first : last + 1] = worth / self.basket.divisor[rows, None] * self.kept[rows, None]
