"""One variant on a day on which a stablecoin it holds has lost its peg: out of it at the next close, all else as it was.

Belongs here: what is held afterwards, rare enough to be found one variant at a time.
Does not: who is looked at on which day, and the trade (`midweek.py`).

Source: `models_ml/indices/decision.py` (`leave_fallen_stables`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models_ml.optimiser.tables import Parking, Tables, basket_on

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def leave_fallen(
    tokens: Integers, weights: Floats, tables: Tables, parking: Parking, *, week: int, day: int, width: int
) -> tuple[Integers, Floats] | None:
    """Tokens and weights, by place, without the stablecoins that closed below their limit; None where no other keeps its peg.

    Args:
        tokens: What is held, by place.
        weights: At which weights at the close of the day after, at which the trade is made.
        tables: What the walk reads.
        parking: The stablecoins of the variant's rotation.
        week: Position of the newest decision, whose snapshot says which stablecoins there are.
        day: Column of the close that fell.
        width: Number of places for constituents; stablecoins come after.
    """
    parked = tokens[width:]
    is_fallen = (weights[width:] > 0) & (tables.prices_usd[parked, day] < parking.leave_below_usd)
    bought, shares = basket_on(parking, tables, week=week, day=day, avoid=parked[is_fallen])
    if not len(bought):
        return None
    held = {
        int(token): float(weight)
        for token, weight, falls in zip(parked, weights[width:], is_fallen, strict=True)
        if weight > 0 and not falls
    }
    moved = float(weights[width:][is_fallen].sum())
    for token, share in zip(bought.tolist(), shares.tolist(), strict=True):
        held[token] = held.get(token, 0.0) + moved * share
    after_tokens, after = tokens.copy(), weights.copy()
    after_tokens[width:], after[width:] = tables.none, 0.0
    for place, (token, weight) in enumerate(sorted(held.items())):
        after_tokens[width + place], after[width + place] = token, weight
    return after_tokens, after
