"""Weights of many variants at once: what a token counts by each method, and limits on rows of weights.

Belongs here: the rules of `models_ml/indices/weighting.py` and `limits.py` on arrays with one row a variant.
Does not: who is a constituent (`walk.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models_ml.indices.limits import TOLERANCE
from models_ml.indices.past_returns import LEAST_SHARE_OF_CLOSES
from models_ml.indices.weighting import LEAST_CONVICTION, NEUTRAL_GRADE
from models_ml.optimiser.rules import WeightColumn
from models_ml.optimiser.snapshots import Closes, Snapshots

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def weight_columns(
    snapshots: Snapshots, closes: Closes, tokens: Sequence[int], columns: Sequence[WeightColumn]
) -> Floats:
    """What each token counts by each method, before shares are taken.

    Args:
        snapshots: The market at each decision.
        closes: Daily closes of `tokens`.
        tokens: Positions of tokens in the snapshots.
        columns: Methods.

    Returns:
        Array of methods x decisions x tokens. NaN where a method has no figure: for `inverse_volatility` a token that is not
        measured, which then counts as the median of the others. `rank` is left at 1: it depends on the constituents.
    """
    weeks = len(snapshots.mondays)
    chosen = np.asarray(tokens, dtype=np.int64)
    caps = snapshots.figures["market_cap_usd"][:, chosen]
    found = np.ones((len(columns), weeks, len(chosen)))
    for position, (method, days) in enumerate(columns):
        if method == "market_cap":
            found[position] = caps
        elif method == "sqrt_market_cap":
            found[position] = np.sqrt(np.maximum(caps, 0.0))
        elif method == "volume":
            found[position] = snapshots.figures["volume_30d_median_usd"][:, chosen]
        elif method == "grade_conviction":
            grades = snapshots.figures["trader_grade"][:, chosen]
            found[position] = np.maximum(grades - NEUTRAL_GRADE, LEAST_CONVICTION)
        elif method == "free_float_cap":
            share = snapshots.figures["free_float_share"][:, chosen]
            found[position] = caps * np.where((share > 0) & (share <= 1), share, 1.0)
        elif method == "inverse_volatility":
            found[position] = 1 / volatilities(closes, weeks, days=days)
        elif method not in {"equal", "rank"}:
            raise ValueError(f"{method} is no method of these; known are those of docs/reference/index-weighting.md")
    return found


def volatilities(closes: Closes, weeks: int, *, days: int) -> Floats:
    """Sample deviation of the daily returns up to each decision, decisions x tokens; NaN where a token is not measured."""
    least = math.ceil(LEAST_SHARE_OF_CLOSES * (days + 1))
    found = np.full((weeks, closes.prices_usd.shape[1]), np.nan)
    returns = closes.prices_usd[1:] / closes.prices_usd[:-1] - 1
    for week in range(weeks):
        last = closes.row(week)
        enough = closes.is_own[last - days : last + 1].sum(axis=0) >= least
        window = returns[last - days : last, enough]
        is_known = np.isfinite(window)
        number = is_known.sum(axis=0)
        values = np.where(is_known, window, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = values.sum(axis=0) / number
            squares = np.where(is_known, (window - mean) ** 2, 0.0).sum(axis=0)
            deviation = np.sqrt(squares / (number - 1))
        found[week, enough] = np.where((number > 1) & (deviation > 0), deviation, np.nan)
    return found


def shares_of(counts: Floats, is_member: Booleans) -> Floats:
    """Rows of shares that sum to 1 from what each constituent counts; 0 for who is none.

    A constituent without a figure counts as the one whose volatility is the median of the others', and all count the same
    in a row without any figure.
    """
    values = np.where(is_member, counts, 0.0)
    lacking = np.isnan(values)
    rows = np.flatnonzero(lacking.any(axis=1))
    if len(rows):
        with np.errstate(divide="ignore"):
            measured = np.where(is_member[rows] & ~lacking[rows], 1 / values[rows], np.inf)
        typical = 1 / _medians(measured)
        values[rows] = np.where(lacking[rows], typical[:, None], values[rows])
    return np.asarray(values / values.sum(axis=1, keepdims=True))


def _medians(values: Floats) -> Floats:
    """Median of what is finite in each row; 1 in a row in which nothing is. No value is -inf or NaN."""
    ordered = np.sort(values, axis=1)
    number = np.isfinite(ordered).sum(axis=1)
    each = np.arange(len(values))
    last = values.shape[1] - 1
    with np.errstate(invalid="ignore"):
        middle = (ordered[each, np.maximum(number - 1, 0) // 2] + ordered[each, np.minimum(number // 2, last)]) / 2
    return np.where(number > 0, middle, 1.0)


def calmness_of(deviations: Floats, is_member: Booleans) -> Floats:
    """Median volatility of a row's constituents over each one's own, at most 1; 1 where it is not measured (NaN).

    Source: `models_ml/indices/limits.py`, `_calmness`.
    """
    is_measured = is_member & np.isfinite(deviations)
    typical = _medians(np.where(is_measured, deviations, np.inf))
    calmness = np.minimum(1.0, typical[:, None] / np.where(is_measured, deviations, 1.0))
    return np.where(is_measured, calmness, 1.0)


def are_met(upper: Floats, is_member: Booleans) -> Booleans:
    """Whether weights below the ceilings of each row can sum to 1."""
    return np.asarray(np.where(is_member, upper, 0.0).sum(axis=1) >= 1 - TOLERANCE)


def limit_rows(shares: Floats, upper: Floats, floor: Floats, is_member: Booleans) -> Floats:
    """Rows of shares moved inside their bounds, the difference shared in proportion: `clip(scale * share)`, summing to 1.

    Args:
        shares: One row a variant, summing to 1; 0 for who is no constituent.
        upper: Largest weights, same shape; where their sum over the constituents is below 1, which no weights meet
            (`are_met`), the row is theirs in proportion.
        floor: Smallest weight of each row.
        is_member: Whether a place is taken.

    Source: `models_ml/indices/limits.py`, whose one scale this finds for all rows at once.
    """
    lower = np.where(is_member, np.minimum(floor[:, None], upper), 0.0)
    upper = np.where(is_member, upper, 0.0)
    weights = shares.copy()
    rows = np.flatnonzero(((shares > upper) | (shares < lower)).any(axis=1))
    if not len(rows):
        return weights
    has_floor = floor[rows] > 0
    for part, limited in ((rows[~has_floor], _below), (rows[has_floor], _between)):
        if len(part):
            weights[part] = limited(shares[part], lower[part], upper[part])
    return weights


def _below(shares: Floats, lower: Floats, upper: Floats) -> Floats:
    """Ceilings only: a share that exceeds its own at some scale does so at every larger one, so none has to be let go again."""
    del lower
    room = upper.sum(axis=1)
    is_full = room <= 1 + TOLERANCE
    at_upper = np.zeros(shares.shape, dtype=bool)
    weights = shares
    while True:
        over = (weights > upper) & ~at_upper & ~is_full[:, None]
        if not over.any():
            break
        at_upper |= over
        rest = 1.0 - np.where(at_upper, upper, 0.0).sum(axis=1)
        free = np.where(at_upper, 0.0, shares)
        scale = np.divide(rest, free.sum(axis=1), out=np.zeros(len(rest)), where=free.any(axis=1))
        weights = np.where(at_upper, upper, free * scale[:, None])
    return np.where(is_full[:, None], upper / room[:, None], weights)


def _between(shares: Floats, lower: Floats, upper: Floats) -> Floats:
    """Ceilings and floors: the sum of the limited weights bends where a weight meets a bound; the scale lies between two bends."""
    taken = shares > 0
    room, least = upper.sum(axis=1), lower.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bends = np.where(np.tile(taken, (1, 2)), np.hstack([lower / shares, upper / shares]), np.inf)
    slopes = np.hstack([shares, -shares])
    order = np.argsort(bends, axis=1, kind="stable")
    bends = np.take_along_axis(bends, order, axis=1)
    slope = np.cumsum(np.take_along_axis(slopes, order, axis=1), axis=1)
    steps = np.where(np.isfinite(bends[:, 1:]), np.diff(np.where(np.isfinite(bends), bends, 0.0), axis=1), 0.0)
    sums = least[:, None] + np.hstack([np.zeros((len(shares), 1)), np.cumsum(slope[:, :-1] * steps, axis=1)])
    above = np.argmax(sums >= 1.0, axis=1)
    each = np.arange(len(shares))
    before = np.maximum(above - 1, 0)
    inside = (bends[each, before] + bends[each, above]) / 2
    scaled = inside[:, None] * shares
    at_upper, at_lower = taken & (scaled >= upper), taken & (scaled <= lower)
    free = np.where(at_upper | at_lower, 0.0, shares)
    rest = 1.0 - np.where(at_upper, upper, 0.0).sum(axis=1) - np.where(at_lower, lower, 0.0).sum(axis=1)
    scale = np.divide(rest, free.sum(axis=1), out=np.ones(len(rest)), where=free.any(axis=1))
    weights = np.clip(np.where(at_upper, upper, np.where(at_lower, lower, free * scale[:, None])), lower, upper)
    weights = np.where((room <= 1 + TOLERANCE)[:, None], upper / room[:, None], weights)
    return np.where((least >= 1 - TOLERANCE)[:, None], lower / np.where(least > 0, least, 1.0)[:, None], weights)
