"""The middle of a week: turns with Bitcoin, and the way out of stablecoins that lose their peg.

Belongs here: who is looked at on which day, a day before the close that is traded at.
Does not: targets (`targets.py`), trades (`holdings.py`), the week's first trade and the next decision (`walk.py`).

Source: `models_ml/indices/engine.py` (`_watch_market`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models_ml.indices.state import SAME_SHARE
from models_ml.optimiser.fallen_stables import leave_fallen
from models_ml.optimiser.holdings import DAYS_A_WEEK, Holdings, Pending
from models_ml.optimiser.targets import decide

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def watch(state: Holdings, week: int, block: Floats) -> Integers:
    """Trade in the middle of a week; returns the variants that did.

    Args:
        state: The variants after Monday's trade, with levels to the week's last close.
        week: Position of the newest decision, whose snapshot stands for the days of the week.
        block: Prices of what they hold, variants x places x the week's days.
    """
    monday = DAYS_A_WEEK * week + 1
    last = monday + DAYS_A_WEEK - 1  # whose close is the next decision's to judge
    has_news = _may_turn(state, monday, last) | _has_fallen(state, block)
    rows = np.flatnonzero(has_news & state.basket.is_started)
    is_stuck = np.zeros(len(has_news), dtype=bool)
    has_traded = np.zeros(len(has_news), dtype=bool)
    for day in range(monday, last) if len(rows) else ():
        turned = _turn(state, rows, week=week, day=day)
        fallen = _fallen_on(state, np.setdiff1d(rows[~is_stuck[rows]], turned), day)
        left = [row for row in fallen.tolist() if _leave(state, row, week=week, day=day)]
        is_stuck[np.setdiff1d(fallen, left)] = True
        traded = np.concatenate([turned, np.array(left, dtype=np.int64)])
        if len(traded):
            state.value(traded, day + 2, last)
            has_traded[traded] = True
    return np.flatnonzero(has_traded)


def _may_turn(state: Holdings, monday: int, last: int) -> Booleans:
    """Variants whose rotation asks for another share at some close before the last; the minimum hold is not asked yet."""
    found = np.zeros(len(state.rules), dtype=bool)
    rows = np.flatnonzero(state.rules.turns_daily)
    if len(rows):
        wanted = state.tables.wanted[state.rules.parking[rows], monday:last]
        found[rows] = (np.abs(wanted - state.basket.share[rows, None]) > SAME_SHARE).any(axis=1)
    return found


def _has_fallen(state: Holdings, block: Floats) -> Booleans:
    """Variants that hold a stablecoin which closes below its limit before the week's last close."""
    if block.shape[1] == state.width:
        return np.zeros(len(state.rules), dtype=bool)
    lowest = block[:, state.width :, :-1].min(axis=2)
    is_held = state.basket.units[:, state.width :] > 0
    return np.asarray((is_held & (lowest < state.rules.leave_below_usd[:, None])).any(axis=1))


def _turn(state: Holdings, rows: Integers, *, week: int, day: int) -> Integers:
    """Decide anew where Bitcoin's close asks for another share than is held; returns the variants that traded."""
    rules, basket = state.rules, state.basket
    asked = rows[rules.turns_daily[rows] & (day + 2 >= basket.since[rows] + rules.min_hold_days[rows])]
    if len(asked):
        wanted = state.tables.wanted[rules.parking[asked], day]
        asked = asked[np.abs(wanted - basket.share[asked]) > SAME_SHARE]
    if not len(asked):
        return asked
    found = decide(state.part(asked), week, state.weights_on(asked, day + 1), day=day)
    traded = asked[found.rows]
    state.trade(Pending(traded, found.tokens, found.weights), day + 1)
    return traded


def _fallen_on(state: Holdings, rows: Integers, day: int) -> Integers:
    """Those of some variants that hold a stablecoin which closed below its limit."""
    parked = state.basket.tokens[rows, state.width :]
    is_low = state.tables.prices_usd[parked, day] < state.rules.leave_below_usd[rows, None]
    is_held = state.basket.units[rows, state.width :] > 0
    return np.asarray(rows[(is_low & is_held).any(axis=1)])


def _leave(state: Holdings, row: int, *, week: int, day: int) -> bool:
    """Trade one variant out of what fell; False where no other stablecoin keeps its peg."""
    rows = np.array([row], dtype=np.int64)
    found = leave_fallen(
        state.basket.tokens[row],
        state.weights_on(rows, day + 1)[0],
        state.tables,
        state.tables.parkings[int(state.rules.parking[row])],
        week=week,
        day=day,
        width=state.width,
    )
    if found is None:
        return False
    tokens, weights = found
    state.trade(Pending(rows, tokens[None, :], weights[None, :]), day + 1)
    return True
