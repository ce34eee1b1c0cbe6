"""One variant in a week in which a stablecoin it holds loses its peg: out of it at the next close, all else as it was.

Belongs here: the day-by-day walk of such a week, rare enough to go one variant at a time.
Does not: the other weeks (`walk.py`).

Source: `models_ml/indices/engine.py` (`_watch_pegs`) and `decision.py` (`leave_fallen_stables`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models_ml.indices.state import SAME_SHARE
from models_ml.optimiser.tables import Parking, Tables, basket_on

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DAYS_A_WEEK = 7


@dataclass(frozen=True)
class Held:
    """The basket of one variant: tokens and units by place, what makes them a level, and the share in stablecoins since when."""

    tokens: Integers
    units: Floats
    divisor: float
    share: float
    since: int


@dataclass(frozen=True)
class MidweekTrade:
    """A trade out of a stablecoin.

    Attributes:
        day: Column of the close it trades at.
        moved: What is bought and sold, a fraction of the index.
        levels_after: Levels before costs from the day after to the week's last close.
        tokens: What is held after, by place.
        weights: At which weights.
    """

    day: int
    moved: float
    levels_after: Floats
    tokens: Integers
    weights: Floats


def leave_fallen(
    held: Held, tables: Tables, parking: Parking, *, week: int, first_day: int, width: int
) -> tuple[Held, list[MidweekTrade]]:
    """Leave each stablecoin a day after it closes below its limit, for others that keep theirs; none left means it stays.

    Args:
        held: The basket from Monday's close on.
        tables: What the walk reads.
        parking: The stablecoins of the variant's rotation.
        week: Position of the newest decision, whose snapshot says which stablecoins there are.
        first_day: Column of Monday's close.
        width: Number of places for constituents; stablecoins come after.
    """
    trades = []
    last = first_day + DAYS_A_WEEK - 1
    for day in range(first_day, last):
        parked = held.tokens[width:]
        is_fallen = (held.units[width:] > 0) & (tables.prices_usd[parked, day] < parking.leave_below_usd)
        if not is_fallen.any():
            continue
        fallen = parked[is_fallen]
        bought, shares = basket_on(parking, tables, week=week, day=day, avoid=fallen)
        if not len(bought):
            break
        worth = held.units * tables.prices_usd[held.tokens, day + 1]
        level = float(worth.sum()) / held.divisor
        weights = worth / worth.sum()
        stays = {
            int(token): float(weight)
            for token, weight, falls in zip(parked, weights[width:], is_fallen, strict=True)
            if weight > 0 and not falls
        }
        moved = float(weights[width:][is_fallen].sum())
        for token, share in zip(bought.tolist(), shares.tolist(), strict=True):
            stays[token] = stays.get(token, 0.0) + moved * share
        tokens, after = held.tokens.copy(), weights.copy()
        tokens[width:], after[width:] = tables.none, 0.0
        for place, (token, weight) in enumerate(sorted(stays.items())):
            tokens[width + place], after[width + place] = token, weight
        units = after / tables.prices_usd[tokens, day + 1]
        share = float(after[width:].sum())
        is_new = abs(share - held.share) > SAME_SHARE
        held = Held(
            tokens=tokens,
            units=units,
            divisor=float(after.sum()) / level,
            share=share if is_new else held.share,
            since=day + 2 if is_new else held.since,
        )
        levels = units @ tables.prices_usd[tokens, day + 2 : last + 1] / held.divisor
        trades.append(MidweekTrade(day + 1, 2 * moved, levels, tokens, after))
    return held, trades
