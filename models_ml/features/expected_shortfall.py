"""Expected shortfall: the mean of the worst twentieth of a window's returns, for every window of a series at once.

Belongs here: the one risk quantity that no rolling function of polars gives. Does not: all others (`risk.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

TAIL = 0.05
"""Share of the returns in the tail."""

ROWS_AT_ONCE = 20_000
"""Windows that are sorted together: some 60 MB at 365 days."""


def expected_shortfall(
    returns: npt.NDArray[np.float64], *, window_days: int, min_samples: int, first: int = 0
) -> npt.NDArray[np.float64]:
    """Mean of the returns up to the 5 % quantile over the days ending with each.

    Of n known returns these are the worst floor(0.05 * (n - 1)) + 1: those that the interpolated quantile of `value_at_risk` is
    not below, where no two are equal.

    Args:
        returns: One a calendar day, oldest first, NaN where unknown.
        window_days: Days of the window.
        min_samples: Known returns a window needs, at least 1.
        first: Place of the first day that is computed.

    Returns:
        One value a day, NaN where too few returns are known and before `first`.

    Source: Acerbi, Tasche (2002), On the Coherence of Expected Shortfall, J. Banking & Finance 26(7), by historical simulation.
    """
    padded = np.concatenate([np.full(window_days - 1, np.nan), returns])
    known = np.concatenate([[0], np.cumsum(np.isfinite(padded))])
    counts = known[window_days:] - known[:-window_days]
    # Unknown days sort behind all others and so never enter a tail.
    windows = sliding_window_view(np.where(np.isfinite(padded), padded, np.inf), window_days)
    deepest = _tail_size(window_days)
    result = np.full(len(returns), np.nan)
    for begin in range(first, len(returns), ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        enough = counts[rows] >= min_samples
        if not enough.any():
            continue
        tail = np.sort(np.partition(windows[rows][enough], deepest - 1, axis=1)[:, :deepest], axis=1)
        sizes = _tail_sizes(counts[rows][enough])
        sums = np.cumsum(tail, axis=1)[np.arange(len(tail)), sizes - 1]
        result[np.flatnonzero(enough) + begin] = sums / sizes
    return result


def _tail_sizes(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Returns in the tail of so many known ones."""
    return np.asarray(np.floor(TAIL * (counts - 1) + 1e-9), dtype=np.int64) + 1


def _tail_size(count: int) -> int:
    return int(_tail_sizes(np.array([count]))[0])
