"""Weights of an index: the methods, alone or blended.

Belongs here: from the constituents of one rebalance to their weights.
Does not: who is a constituent (`selection.py`), how limits work (`limits.py`), what the optimiser does
(`optimised_weights.py`), weight in stablecoins (`rotation.py`), what happens between rebalances (`levels.py`).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import cast

import numpy as np
import polars as pl

from models_ml.indices.errors import InfeasibleCapError
from models_ml.indices.limits import Bounds, bounds_on, core_rows, limit, limit_once, past_of_others
from models_ml.indices.optimised_weights import optimised_weights
from models_ml.indices.past_returns import Past, PastReturns
from models_ml.indices.tilting import tilted
from models_ml.indices.weighting_rules import OPTIMISED_METHODS, OptimisedMethod, Weighting

NEUTRAL_GRADE = 50.0  # a grade is a percentile: half of all earlier scores lie below 50
LEAST_CONVICTION = 1.0  # a selected token graded 50 or less still holds one point's worth
LEAST_OPTIMISED = 1e-4  # a constituent that the optimiser would leave out still holds a hundredth of a per cent


def market_cap_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed `market_cap_usd`, one per row, summing to 1."""
    return _shares(members["market_cap_usd"])


def free_float_cap_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed `market_cap_usd` x `free_float_share`, one per row, summing to 1.

    A share that is null or outside (0, 1] counts as not known, and then as 1; so does a column that is not there, with
    which the weights are those of `market_cap`.
    """
    if "free_float_share" not in members.columns:
        return market_cap_weights(members)
    share = pl.col("free_float_share")
    known = pl.when((share > 0) & (share <= 1)).then(share).otherwise(1.0)
    return _shares(members.select(pl.col("market_cap_usd") * known).to_series())


def sqrt_market_cap_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed square roots of `market_cap_usd` (the CCI30's rule), one per row, summing to 1."""
    return _shares(pl.Series("weight", np.sqrt(members["market_cap_usd"].to_numpy())))


def equal_weights(members: pl.DataFrame) -> pl.Series:
    """The same weight for every row, summing to 1."""
    return _shares(pl.Series("weight", np.ones(members.height)))


def rank_weights(members: pl.DataFrame) -> pl.Series:
    """Weights in proportion to n, n - 1 down to 1 in the order of `rank` (1 is best), summing to 1.

    Gaps between ranks do not count. Constituents without a rank, held to the next review, come last, the largest first.
    """
    order = members.select(
        pl.arg_sort_by("rank", "market_cap_usd", "token_id", descending=[False, True, False], nulls_last=True)
    ).to_series()
    points = np.empty(members.height)
    points[order.to_numpy()] = np.arange(members.height, 0, -1)
    return _shares(pl.Series("weight", points))


def volume_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the summed `volume_30d_median_usd` (positive), one per row, summing to 1."""
    return _shares(members["volume_30d_median_usd"])


def grade_conviction_weights(members: pl.DataFrame) -> pl.Series:
    """Shares of the points by which `trader_grade` (0-100, no nulls) exceeds the neutral 50, at least one each."""
    grades = members["trader_grade"].to_numpy()
    return _shares(pl.Series("weight", np.maximum(grades - NEUTRAL_GRADE, LEAST_CONVICTION)))


def inverse_volatility_weights(past: PastReturns) -> pl.Series:
    """Weights in proportion to 1 / volatility, one per column of `past`, summing to 1.

    A token without enough closes counts as volatile as the median of the others; if none has enough, all weigh the same.
    """
    volatilities = past.volatilities()
    if not past.is_measured.any():
        return _shares(pl.Series("weight", np.ones(len(volatilities))))
    typical = float(np.median(volatilities[past.is_measured]))
    return _shares(pl.Series("weight", 1 / np.where(past.is_measured, volatilities, typical)))


def optimised_member_weights(members: pl.DataFrame, past: PastReturns, *, method: OptimisedMethod) -> pl.Series:
    """Weights by an optimiser, one per row of `members` and column of `past`, summing to 1.

    Tokens without enough closes stay out of the optimiser and get the smallest weight it gives to another; where fewer
    than two tokens have enough, all weigh the same. No weight is less than a hundredth of a per cent, because a
    constituent that is not held would be none. Tokens are put in the order of their token_id first, on which the tree
    of `hierarchical_risk_parity` depends.

    Raises:
        OptimiserError: The optimiser finds no solution.
    """
    token_ids = members["token_id"].to_list()
    measured = sorted(np.flatnonzero(past.is_measured).tolist(), key=token_ids.__getitem__)
    if len(measured) < 2:
        return equal_weights(members)
    found = np.maximum(optimised_weights(past.complete(measured), method=method), LEAST_OPTIMISED)
    weights = np.full(members.height, found.min())
    weights[measured] = found
    return _shares(pl.Series("weight", weights))


METHODS: dict[str, Callable[[pl.DataFrame], pl.Series]] = {
    "market_cap": market_cap_weights,
    "equal": equal_weights,
    "sqrt_market_cap": sqrt_market_cap_weights,
    "grade_conviction": grade_conviction_weights,
    "free_float_cap": free_float_cap_weights,
    "rank": rank_weights,
    "volume": volume_weights,
}


def weigh(
    members: pl.DataFrame,
    weighting: Weighting,
    *,
    past: Past | None = None,
    held: Mapping[str, float] | None = None,
    filled: float = 1.0,
) -> tuple[pl.Series, pl.Series]:
    """Weigh the constituents of one rebalance.

    Args:
        members: One row per constituent with `market_cap_usd` (positive) and `trader_grade`, and what else the methods
            and limits in use ask for; the core, for which all of that may be null, needs `token_id`.
        weighting: Method or blend, limits and the way they are applied; `max_turnover` is left to `part_of_the_way`.
        past: Gives past returns of the members; needed by the methods that rest on risk.
        held: Fractions of the invested part before the rebalance by token_id, for `capping: flexible`.
        filled: Fraction of the places that the members fill, 0-1; limits are of all places, filled or not.

    Returns:
        Shares before limits, tilted, and weights after them, both in the order of `members` and summing to 1. Where a single
        pass leaves nothing to take up what the limits move, the iterative weights are given instead.

    Raises:
        InfeasibleCapError: The limits leave no solution for these constituents.
        OptimiserError: An optimiser finds no weights.
        ValueError: A method rests on risk and `past` is not given.
    """
    shares = _around_core(members, weighting, past=past)
    bounds = bounds_on(members, shares, weighting, held=held, past=past, filled=filled)
    if weighting.capping != "iterative":
        # Where one pass finds no solution the limits may still be feasible: the iterative way settles it, or raises.
        with suppress(InfeasibleCapError):
            return shares, limit_once(shares, bounds)
    return shares, limit(shares, bounds)


def cap_weights(weights: pl.Series, *, cap: float, floor: float = 0.0) -> pl.Series:
    """Limit every weight to `cap` and lift it to `floor`, sharing the difference in proportion to the weights.

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
    return limit(weights, _uniform(weights, cap=cap, floor=floor))


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
    return limit_once(weights, _uniform(weights, cap=cap, floor=floor))


def _around_core(members: pl.DataFrame, weighting: Weighting, *, past: Past | None) -> pl.Series:
    """Weights before limits, summing to 1: the core's as they are fixed, those of all others by method and tilt on the rest."""
    if not weighting.core:
        return tilted(_unlimited(members, weighting, past=past), members, weighting.tilt)
    is_core = core_rows(members, weighting)
    rows = members.filter(pl.Series(~is_core))
    others = tilted(_unlimited(rows, weighting, past=past_of_others(past, is_core)), rows, weighting.tilt)
    shares = np.array([weighting.core_weights.get(token_id, 0.0) for token_id in members["token_id"]])
    shares[~is_core] = others.to_numpy() * weighting.rest
    return pl.Series("weight", shares)


def _unlimited(members: pl.DataFrame, weighting: Weighting, *, past: Past | None) -> pl.Series:
    """Weights before limits, summing to 1."""
    if not weighting.blend:
        return _by_method(weighting.method, members, weighting, past=past)
    blended = np.zeros(members.height)
    for part in weighting.blend:
        blended += part.share * _by_method(part.method, members, weighting, past=past).to_numpy()
    return _shares(pl.Series("weight", blended))


def _by_method(method: str, members: pl.DataFrame, weighting: Weighting, *, past: Past | None) -> pl.Series:
    if method in METHODS:
        return METHODS[method](members)
    if past is None:
        raise ValueError(f"{method} weighs by past returns; hand `past` to weigh")
    if method in OPTIMISED_METHODS:
        chosen = cast(OptimisedMethod, method)
        return optimised_member_weights(members, past(weighting.covariance_days), method=chosen)
    return inverse_volatility_weights(past(weighting.volatility_days))


def _shares(values: pl.Series) -> pl.Series:
    numbers = values.cast(pl.Float64).to_numpy()
    return pl.Series("weight", numbers / numbers.sum())


def _uniform(weights: pl.Series, *, cap: float, floor: float) -> Bounds:
    if not 0 < cap <= 1 or not 0 <= floor <= cap:
        raise ValueError(f"cap {cap:g} must lie in (0, 1] and floor {floor:g} in [0, cap]")
    return Bounds.uniform(len(weights), cap=cap, floor=floor)
