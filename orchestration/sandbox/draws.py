"""Random numbers by address: the draw that belongs to a seed and some keys, whatever was drawn before.

A generator would have to be run through all tokens and days to reach one cell; these reach it directly, which is what
lets 6,000 tokens be served without a table of cells.

Belongs here: the hash and the two distributions. Does not: what is drawn (`exchange_markets.py` and its neighbours).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Keys = int | NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def uniform(seed: int, *keys: Keys) -> Floats:
    """Draws from [0, 1), one per element of the keys' common shape; equal keys give equal draws.

    Source of the mixing function: Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014
    (SplitMix64).
    """
    state = _mixed(np.asarray(seed, dtype=np.uint64))
    for key in keys:
        state = _mixed(state ^ np.asarray(key, dtype=np.int64).astype(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, *keys: Keys) -> Floats:
    """Standard normal draws, one per element of the keys' common shape (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(seed, *keys, 1)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(seed, *keys, 2)))


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is the point
        state = state + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
