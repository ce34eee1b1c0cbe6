"""Resampling of weeks in blocks: how often each week stands in a resample.

Belongs here: the moving-block and the stationary bootstrap, and how long a block has to be.
Does not: what is measured on a resample (`intervals.py`).

A call looks 14 or 90 days ahead and is made every week, so neighbouring weeks share most of their outcome: resampling single weeks
would make any interval too short. Weeks are drawn in runs at least as long as the horizon.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

SHORTEST_BLOCK_DAYS = 14
DRAWS = 2000
SEED = 20240101

Counts = npt.NDArray[np.float64]
Kind = Literal["moving", "stationary"]


def block_weeks(horizon_days: int, *, spacing_days: int = 7) -> int:
    """Periods in a block: the horizon in whole periods, and at least 14 days (2 weeks for 14 days, 13 for 90)."""
    return math.ceil(max(horizon_days, SHORTEST_BLOCK_DAYS) / spacing_days)


def resampled_counts(
    weeks: int, *, block: int, draws: int = DRAWS, seed: int = SEED, kind: Kind = "stationary"
) -> Counts:
    """How often each week stands in each resample of the same length.

    'moving' joins runs of exactly `block` weeks that begin anywhere but within the last `block` - 1 weeks (Künsch 1989, Annals of
    Statistics 17(3)); 'stationary' joins runs of random length, geometric with mean `block`, around the end back to the start
    (Politis, Romano 1994, The Stationary Bootstrap, JASA 89), which favours no week and is the default.

    Args:
        weeks: Length of the series.
        block: Weeks in a block, at least 1 and at most `weeks`.
        draws: Number of resamples.
        seed: Equal seeds give equal counts.
        kind: Which bootstrap.

    Returns:
        draws x weeks, each row summing to `weeks`.

    Raises:
        ValueError: `block` is out of range.
    """
    if not 1 <= block <= weeks:
        raise ValueError(f"a block of {block} weeks does not fit a series of {weeks}; measure more weeks")
    generator = np.random.default_rng(seed)
    if kind == "moving":
        blocks = -(-weeks // block)
        starts = generator.integers(0, weeks - block + 1, size=(draws, blocks))
        positions = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :weeks]
        offsets = positions + np.arange(draws)[:, None] * weeks
        return np.bincount(offsets.ravel(), minlength=draws * weeks).reshape(draws, weeks).astype(np.float64)
    starts = generator.integers(0, weeks, size=(draws, weeks))
    is_new = generator.random((draws, weeks)) < 1 / block
    is_new[:, 0] = True
    # A run counts its weeks by one more from its first on and one less behind its last: there are few runs, and many weeks.
    begun = np.flatnonzero(is_new)
    lengths = np.diff(begun, append=draws * weeks)  # every draw begins a run, so none reaches into the next draw
    first = starts.ravel()[begun]
    end = first + lengths
    row = begun // weeks * (weeks + 1)
    is_around = end > weeks
    more = np.concatenate([row + first, row[is_around]])
    less = row + np.where(is_around, end - weeks, end)
    changes = np.zeros(draws * (weeks + 1))
    np.add.at(changes, more, 1.0)
    np.subtract.at(changes, less, 1.0)
    return np.cumsum(changes.reshape(draws, weeks + 1)[:, :weeks], axis=1)
