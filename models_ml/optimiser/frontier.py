"""The Pareto frontier: variants that no other beats in return without more risk.

Belongs here: finding them for one measure of risk. Does not: choosing among them (`splits.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def frontier(returns: Floats, risks: Floats) -> Integers:
    """Positions of the variants on the frontier, by rising risk; of equal ones the first.

    Args:
        returns: Higher is better.
        risks: Lower is better, in the same order. A variant without either figure (NaN) is on no frontier.
    """
    known = np.flatnonzero(np.isfinite(returns) & np.isfinite(risks))
    order = known[np.lexsort((known, -returns[known], risks[known]))]
    if not len(order):
        return order
    highest = np.maximum.accumulate(returns[order])
    is_higher = np.ones(len(order), dtype=bool)
    is_higher[1:] = returns[order][1:] > highest[:-1]
    return np.asarray(order[is_higher])
