"""The walk: many variants of a model-driven index through all weeks at once, each as the index engine would compute it.

Belongs here: a week after the other, decided on Sunday's close and traded on Monday's; one row a variant in every array.
Does not: what is decided (`targets.py`), trades in the middle of a week (`midweek.py`), the arithmetic of trades (`holdings.py`).

The rules are those of `models_ml/indices` (`decision.py`, `engine.py`, `levels.py`), and a test holds every level to the engine's.
Two things are left out because they change no level: reasons in words, and the status of weeks in which too little is priced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.optimiser.holdings import DAYS_A_WEEK, Holdings, Pending, Traded
from models_ml.optimiser.midweek import watch
from models_ml.optimiser.rules import Rules
from models_ml.optimiser.tables import Tables
from models_ml.optimiser.targets import decide

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Walked:
    """What became of some variants.

    Attributes:
        levels: One row a variant and one column a day from the first decision's close, after costs; NaN before a start.
        turnover: Sum over all trades but the first of half of what is bought and sold, a fraction of the index.
        trades: Number of trades, the first included.
        traded: The trades themselves where they were asked for.
    """

    levels: Floats
    turnover: Floats
    trades: Integers
    traded: tuple[Traded, ...] = ()


def walk(rules: Rules, tables: Tables, *, cost_bps: float = 0.0, keeps_trades: bool = False) -> Walked:
    """Walk some variants through all weeks.

    Args:
        rules: The variants.
        tables: What they read.
        cost_bps: Cost of each trade in basis points of what is bought and of what is sold; shows the day after.
        keeps_trades: Whether to keep targets, which need room.
    """
    state = Holdings.at_start(rules, tables, cost_bps=cost_bps, keeps_trades=keeps_trades)
    weights = np.zeros(state.basket.units.shape)
    for week in range(len(tables.mondays)):
        pending = decide(state, week, weights, day=DAYS_A_WEEK * week)
        if week + 1 < len(tables.mondays):
            weights = _carry(state, week, pending)
        else:
            state.record(pending, DAYS_A_WEEK * week + 1)
    return Walked(state.levels, state.turnover, state.trades, tuple(state.traded))


def _carry(state: Holdings, week: int, pending: Pending) -> Floats:
    """Trade what is pending at Monday's close and value the week; weights at its last close."""
    basket, tables = state.basket, state.tables
    monday = DAYS_A_WEEK * week + 1
    prices = np.ascontiguousarray(tables.prices_usd[:, monday : monday + DAYS_A_WEEK])
    before = state.kept.copy()
    state.trade(pending, monday)
    block = np.take(prices, basket.tokens, axis=0)
    worth = np.einsum("ps,psd->pd", basket.units, block)
    with np.errstate(invalid="ignore"):
        gross = np.where(basket.is_started[:, None], worth / basket.divisor[:, None], np.nan)
    state.levels[:, monday : monday + DAYS_A_WEEK] = gross * state.kept[:, None]
    state.levels[:, monday] = gross[:, 0] * before
    last = basket.units * block[:, :, -1]
    total = last.sum(axis=1, keepdims=True)
    weights = np.divide(last, total, out=np.zeros_like(last), where=total > 0)
    traded = watch(state, week, block)
    weights[traded] = state.weights_on(traded, monday + DAYS_A_WEEK - 1)
    return np.asarray(weights)
