"""Weights of an index: the methods, and the ceilings and floors that limit them.

Belongs here: arithmetic on the weights of one rebalance.
Does not: who is a constituent (`selection.py`), weight in stablecoins (`rotation.py`), what happens between rebalances
(`levels.py`).
"""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.indices.definition import Weighting
from models_ml.indices.errors import InfeasibleCapError

Floats = npt.NDArray[np.float64]

NEUTRAL_GRADE = 50.0  # a grade is a percentile: half of all earlier scores lie below 50
LEAST_CONVICTION = 1.0  # a selected token graded 50 or less still holds one point's worth
TOLERANCE = 1e-9


def market_cap_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed `market_cap_usd`, one per row, summing to 1."""
    return _shares(members["market_cap_usd"])


def sqrt_market_cap_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed square roots of `market_cap_usd` (the CCI30's rule), one per row, summing to 1."""
    return _shares(members["market_cap_usd"].sqrt())


def equal_weights(members: pl.DataFrame) -> pl.Series:
    """The same weight for every row, summing to 1."""
    return _shares(pl.Series("weight", np.ones(members.height)))


def grade_conviction_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the points by which `trader_grade` (0-100, no nulls) exceeds the neutral 50, at least one each."""
    return _shares((members["trader_grade"] - NEUTRAL_GRADE).clip(lower_bound=LEAST_CONVICTION))


METHODS: dict[str, Callable[[pl.DataFrame], pl.Series]] = {
    "market_cap": market_cap_weights,
    "equal": equal_weights,
    "sqrt_market_cap": sqrt_market_cap_weights,
    "grade_conviction": grade_conviction_weights,
}


def weigh(members: pl.DataFrame, weighting: Weighting) -> tuple[pl.Series, pl.Series]:
    """Weigh the constituents of one rebalance.

    Args:
        members: One row per constituent with `market_cap_usd` (positive) and `trader_grade`.
        weighting: Method, limits and the way they are applied.

    Returns:
        Shares before limits and weights after them, both in the order of `members` and summing to 1. Where a single
        pass leaves nothing to take up what the limits move, the iterative weights are given instead.

    Raises:
        InfeasibleCapError: The limits leave no solution for so few constituents.
    """
    shares = METHODS[weighting.method](members)
    if weighting.capping == "single_pass":
        # Where one pass finds no solution the limits may still be feasible: the iterative way settles it, or raises.
        with suppress(InfeasibleCapError):
            return shares, cap_weights_once(shares, cap=weighting.cap, floor=weighting.floor)
    return shares, cap_weights(shares, cap=weighting.cap, floor=weighting.floor)


def cap_weights(weights: pl.Series, *, cap: float, floor: float = 0.0) -> pl.Series:
    """Limit every weight to `cap` and lift it to `floor`, sharing the difference in proportion to the weights.

    Capping and sharing out again and again, because the excess of one can push the next one over, ends at weights of
    the form `min(cap, max(floor, scale * weight))`. The one scale at which they sum to 1 is computed directly, so the
    result depends neither on an order of steps nor on a tolerance.

    Args:
        weights: Positive fractions that sum to 1, one per constituent, no nulls.
        cap: Largest fraction a constituent may hold, in (0, 1].
        floor: Smallest fraction a constituent may hold, in [0, cap].

    Returns:
        Fractions in the order of `weights`, summing to 1 within 1e-12.

    Raises:
        InfeasibleCapError: `cap * len(weights)` is below 1 or `floor * len(weights)` above 1.

    Source: S&P Dow Jones Indices, *Index Mathematics Methodology*, capped market capitalization indices.

    Example:
        >>> cap_weights(pl.Series([0.50, 0.24, 0.14, 0.08, 0.04]), cap=0.25).round(4).to_list()
        [0.25, 0.25, 0.25, 0.1667, 0.0833]
    """
    values = _checked(weights, cap=cap, floor=floor)
    count = len(values)
    if count * cap <= 1 + TOLERANCE or count * floor >= 1 - TOLERANCE:
        return pl.Series("weight", np.full(count, 1 / count))
    # The sum of the limited weights grows with the scale and bends only where a weight meets a limit.
    bends = np.unique(np.concatenate([cap / values, floor / values]))
    sums = np.array([np.clip(bend * values, floor, cap).sum() for bend in bends])
    upper = int(np.searchsorted(sums, 1.0))  # the sum at the last bend is count * cap, above 1
    inside = bends[upper] if upper == 0 else (bends[upper - 1] + bends[upper]) / 2
    at_cap, at_floor = inside * values >= cap, inside * values <= floor
    is_free = ~(at_cap | at_floor)
    if not is_free.any():  # flat between two bends, so either end already sums to 1
        return pl.Series("weight", np.clip(bends[upper] * values, floor, cap))
    rest = 1.0 - cap * at_cap.sum() - floor * at_floor.sum()
    limited = np.where(at_cap, cap, np.where(at_floor, floor, values * (rest / values[is_free].sum())))
    return pl.Series("weight", np.clip(limited, floor, cap))


def cap_weights_once(weights: pl.Series, *, cap: float, floor: float = 0.0) -> pl.Series:
    """Limit weights in one pass, as some publishers do: what the limits move goes to the untouched ones, pro rata.

    A weight that the excess pushes over the cap stays there, so the result may exceed `cap`; use `cap_weights` where
    the cap is meant.

    Args:
        weights: Positive fractions that sum to 1, one per constituent, no nulls.
        cap: Fraction to which a larger weight is cut, in (0, 1].
        floor: Fraction to which a smaller weight is lifted, in [0, cap].

    Returns:
        Fractions in the order of `weights`, summing to 1 within 1e-12.

    Raises:
        InfeasibleCapError: No weights could meet the limits, or none is left to take up what they move.

    Source: DPI methodology ("excess once pro rata") and its published rebalance code.

    Example:
        >>> cap_weights_once(pl.Series([0.50, 0.24, 0.14, 0.08, 0.04]), cap=0.25).round(4).to_list()
        [0.25, 0.36, 0.21, 0.12, 0.06]
    """
    values = _checked(weights, cap=cap, floor=floor)
    limited = np.clip(values, floor, cap)
    is_free = (values >= floor) & (values <= cap)
    if is_free.all():
        return pl.Series("weight", values)
    rest = 1.0 - limited[~is_free].sum()
    if rest <= 0 or not is_free.any():
        raise InfeasibleCapError(
            f"one pass of cap {cap:g} and floor {floor:g} leaves {rest:.6g} for {int(is_free.sum())} of {len(values)} "
            "constituents; use `capping: iterative`, or widen the limits"
        )
    return pl.Series("weight", np.where(is_free, values * (rest / values[is_free].sum()), limited))


def _shares(values: pl.Series) -> pl.Series:
    numbers = values.cast(pl.Float64).to_numpy()
    return pl.Series("weight", numbers / numbers.sum())


def _checked(weights: pl.Series, *, cap: float, floor: float) -> Floats:
    """Weights as an array scaled to sum to 1, after the limits have been found feasible."""
    values = weights.cast(pl.Float64).to_numpy()
    count = len(values)
    if not count or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(f"weights must be positive and finite, at least one; got {weights.to_list()[:10]}")
    if not 0 < cap <= 1 or not 0 <= floor <= cap:
        raise ValueError(f"cap {cap:g} must lie in (0, 1] and floor {floor:g} in [0, cap]")
    if count * cap < 1 - TOLERANCE:
        raise InfeasibleCapError(
            f"cap {cap:g} x {count} constituents = {count * cap:g}, but weights must reach 1; "
            f"raise the cap to at least {1 / count:.4g} or hold at least {int(np.ceil(1 / cap))} constituents"
        )
    if count * floor > 1 + TOLERANCE:
        raise InfeasibleCapError(
            f"floor {floor:g} x {count} constituents = {count * floor:g}, but weights must not exceed 1; "
            f"lower the floor to at most {1 / count:.4g} or hold at most {int(1 / floor)} constituents"
        )
    return np.asarray(values / values.sum(), dtype=np.float64)
