"""Limits on the weights of one rebalance: ceilings, floors, groups, liquidity, turnover.

Belongs here: which limits stand for which constituent, and moving weights until they hold.
Does not: weights before limits (`weighting.py`), the limits as a user writes them (`weighting_rules.py`), the words that
tell of them (`reasons.py`).
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from models_ml.indices.errors import InfeasibleCapError
from models_ml.indices.past_returns import Past
from models_ml.indices.weighting_rules import UNKNOWN_GROUP, Weighting

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
LimitKind = Literal["cap", "flexible", "liquidity", "volatility", "core"]

TOLERANCE = 1e-9
GROUP_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Group:
    """Constituents whose weights together may not exceed `cap`; every constituent is in one group at most."""

    name: str
    cap: float
    members: Booleans


@dataclass(frozen=True)
class Bounds:
    """What a weight must lie between, one entry per constituent.

    Attributes:
        lower: Smallest fractions, at most `upper`.
        upper: Largest fractions.
        kinds: Which limit gives each `upper`.
        groups: Ceilings on sums of weights.
    """

    lower: Floats
    upper: Floats
    kinds: tuple[LimitKind, ...]
    groups: tuple[Group, ...] = ()

    @classmethod
    def uniform(cls, count: int, *, cap: float, floor: float = 0.0) -> "Bounds":
        """The same ceiling and floor for all."""
        kinds: list[LimitKind] = ["cap"] * count
        return cls(np.full(count, floor), np.full(count, cap), tuple(kinds))


def bounds_on(
    members: pl.DataFrame,
    shares: pl.Series,
    weighting: Weighting,
    *,
    held: Mapping[str, float] | None = None,
    past: Past | None = None,
    filled: float = 1.0,
) -> Bounds:
    """The limits of `weighting` for these constituents.

    Args:
        members: One row per constituent; `token_id` where there are ceilings by rank or `flexible` ones or a core, `sector`
            where there are group caps, `volume_30d_median_usd` where liquidity is limited (null allows nothing).
        shares: Fractions before limits, in the order of `members`.
        weighting: The section of the definition.
        held: Fractions of the invested part before the rebalance by token_id.
        past: Gives past returns of the members; needed by `volatility_cap`.
        filled: Fraction of the places that the members fill, 0-1. Every limit is one of all places, so among the members it is
            1 / `filled` as high.

    Returns:
        Bounds in the order of `members`. A liquidity limit below the floor takes the place of the floor.
    """
    if not weighting.core:
        upper, lower, kinds = _own_bounds(members, shares, weighting, held=held, past=past, filled=filled)
        return Bounds(lower, upper, kinds, _groups(members, weighting, filled=filled))
    is_core = core_rows(members, weighting)
    others, shares_of_others = members.filter(pl.Series(~is_core)), shares.filter(pl.Series(~is_core))
    # What is fixed lies between equal bounds, so it stays and still counts in the ceiling of its group.
    upper, lower = shares.to_numpy().copy(), shares.to_numpy().copy()
    upper[~is_core], lower[~is_core], inner = _own_bounds(
        others, shares_of_others, weighting, held=held, past=past_of_others(past, is_core), filled=filled
    )
    left = iter(inner)
    kinds = tuple("core" if fixed else next(left) for fixed in is_core)
    return Bounds(lower, upper, kinds, _groups(members, weighting, filled=filled))


def core_rows(members: pl.DataFrame, weighting: Weighting) -> Booleans:
    """Which constituents are the core, one entry per row."""
    if not weighting.core:
        return np.zeros(members.height, dtype=bool)
    return np.asarray(members["token_id"].is_in(list(weighting.core_weights)).to_numpy(), dtype=bool)


def past_of_others(past: Past | None, is_core: Booleans) -> Past | None:
    """Past returns of the constituents that are not the core, from those of all."""
    if past is None:
        return None
    columns = np.flatnonzero(~is_core).tolist()
    return lambda days: past(days).of(columns)


def _calmness(volatilities: Floats) -> Floats:
    """Median volatility over each one's own, at most 1; 1 where it is not measured."""
    measured = np.isfinite(volatilities)
    if not measured.any():
        return np.ones(len(volatilities))
    typical = float(np.median(volatilities[measured]))
    return np.where(measured, np.minimum(1.0, typical / np.where(measured, volatilities, 1.0)), 1.0)


def limit(shares: pl.Series, bounds: Bounds) -> pl.Series:
    """Move weights inside their bounds, sharing the difference in proportion to the weights.

    Limiting and sharing out again and again, because the excess of one can push the next one over, ends at weights of
    the form `min(upper, max(lower, scale * share))`. The one scale at which they sum to 1 is computed directly, so the
    result depends neither on an order of steps nor on a tolerance. A group that then exceeds its ceiling is set to it,
    its members sharing it by the same rule, and the rest of the weight is shared among the others, until no group
    exceeds its own. A group over its ceiling would be so at every larger scale, too, so none has to be let go again.

    Args:
        shares: Positive fractions that sum to 1, one per constituent, no nulls.
        bounds: Limits in the same order.

    Returns:
        Fractions in the order of `shares`, summing to 1 within 1e-12.

    Raises:
        InfeasibleCapError: No weights inside the bounds sum to 1.
    """
    values = checked(shares)
    _check_sums(bounds)
    weights = np.zeros(len(values))
    is_free, rest = np.ones(len(values), dtype=bool), 1.0
    open_groups = list(bounds.groups)
    while is_free.any():
        weights[is_free] = _scaled(values[is_free], bounds.lower[is_free], bounds.upper[is_free], total=rest)
        over = [group for group in open_groups if weights[group.members].sum() > group.cap + GROUP_TOLERANCE]
        if not over:
            break
        for group in over:
            inside = group.members
            weights[inside] = _scaled(values[inside], bounds.lower[inside], bounds.upper[inside], total=group.cap)
            is_free &= ~inside
            rest -= group.cap
        closed = {group.name for group in over}
        open_groups = [group for group in open_groups if group.name not in closed]
    # Ceilings of groups that just reach 1 may miss it by their tolerance.
    return pl.Series("weight", weights / weights.sum() if bounds.groups else weights)


def limit_once(shares: pl.Series, bounds: Bounds) -> pl.Series:
    """Limit weights in one pass, as some publishers do: what the limits move goes to the untouched ones, pro rata.

    A weight that the excess pushes over its ceiling stays there, so the result may exceed it. Groups are not looked at.

    Args:
        shares: Positive fractions that sum to 1, one per constituent, no nulls.
        bounds: Limits in the same order.

    Returns:
        Fractions in the order of `shares`, summing to 1 within 1e-12.

    Raises:
        InfeasibleCapError: No weights could meet the limits, or none is left to take up what they move.
    """
    values = checked(shares)
    _check_sums(bounds)
    limited = np.clip(values, bounds.lower, bounds.upper)
    is_core = np.array([kind == "core" for kind in bounds.kinds])
    is_free = (values >= bounds.lower) & (values <= bounds.upper) & ~is_core
    if (is_free | is_core).all():
        return pl.Series("weight", values)
    rest = 1.0 - limited[~is_free].sum()
    if rest <= 0 or not is_free.any():
        raise InfeasibleCapError(
            f"one pass of cap {bounds.upper.max():g} and floor {bounds.lower.min():g} leaves {rest:.6g} for "
            f"{int(is_free.sum())} of {len(values)} constituents; use `capping: iterative`, or widen the limits"
        )
    return pl.Series("weight", np.where(is_free, values * (rest / values[is_free].sum()), limited))


def part_of_the_way(held: Mapping[str, float], wanted: Mapping[str, float], *, max_turnover: float) -> dict[str, float]:
    """Go from held to wanted weights as far as a turnover limit allows.

    Tokens that leave are sold first, in proportion to their weights; with what the limit then allows, all others above
    their target go the same part of their way. What is sold is bought in proportion to what each token lacks. So the
    sum stays 1, nothing moves away from its target, and a leaving token is gone after a few rebalances: were all to go
    the same part of their way, a little of it would always stay.

    Args:
        held: Fractions before by token_id, summing to 1; tokens that are to leave are among them.
        wanted: Fractions to go to, summing to 1.
        max_turnover: Largest sum of |new - old| / 2.

    Returns:
        Fractions by token_id, of all tokens in either.
    """
    token_ids = sorted({*held, *wanted})
    before = np.array([held.get(token_id, 0.0) for token_id in token_ids])
    after = np.array([wanted.get(token_id, 0.0) for token_id in token_ids])
    excess, lacking = np.maximum(before - after, 0.0), np.maximum(after - before, 0.0)
    turnover, leaving = float(excess.sum()), float(before[after == 0].sum())
    if turnover > max_turnover:
        part_of_leavers = min(1.0, max_turnover / leaving) if leaving > 0 else 0.0
        others = turnover - leaving
        part_of_others = max(0.0, max_turnover - leaving) / others if others > 0 else 0.0
        sold = excess * np.where(after == 0, part_of_leavers, part_of_others)
        after = np.where(after == 0, before * (1 - part_of_leavers), before - sold)
        after += lacking * (sold.sum() / lacking.sum())
    return dict(zip(token_ids, after.tolist(), strict=True))


def checked(weights: pl.Series) -> Floats:
    """Weights as an array scaled to sum to 1.

    Raises:
        ValueError: There is none, or one is not positive and finite.
    """
    values = weights.cast(pl.Float64).to_numpy()
    if not len(values) or not np.isfinite(values).all() or (values <= 0).any():
        raise ValueError(f"weights must be positive and finite, at least one; got {weights.to_list()[:10]}")
    return np.asarray(values / values.sum(), dtype=np.float64)


def _own_bounds(
    members: pl.DataFrame,
    shares: pl.Series,
    weighting: Weighting,
    *,
    held: Mapping[str, float] | None,
    past: Past | None,
    filled: float,
) -> tuple[Floats, Floats, tuple[LimitKind, ...]]:
    """Ceilings, floors and which limit gives each ceiling, of constituents that are not the core."""
    count = members.height
    before = shares.to_numpy()
    upper = np.array(weighting.ceilings(count))
    if weighting.rank_caps:
        token_ids = members["token_id"].to_list()
        order = sorted(range(count), key=lambda position: (-before[position], token_ids[position]))
        upper[order] = upper.copy()
    ceilings = upper.copy()
    kinds: list[LimitKind] = ["cap"] * count
    if weighting.capping == "flexible":
        present = np.array([(held or {}).get(token_id, 0.0) for token_id in members["token_id"]])
        is_softened = (before > upper) & (present > upper)
        upper = np.where(is_softened, (upper + present) / 2, upper)
        kinds = ["flexible" if softened else "cap" for softened in is_softened]
    if weighting.liquidity is not None:
        volume = np.nan_to_num(members["volume_30d_median_usd"].to_numpy())
        allowed = weighting.liquidity.max_volume_share * volume / weighting.liquidity.capital_usd
        kinds = ["liquidity" if is_less else kind for kind, is_less in zip(kinds, allowed < upper, strict=True)]
        upper = np.minimum(upper, allowed)
    if weighting.volatility_cap:
        if past is None:
            raise ValueError("volatility_cap rests on past returns; hand `past` to bounds_on")
        lowered = ceilings * _calmness(past(weighting.volatility_days).volatilities())
        kinds = ["volatility" if is_less else kind for kind, is_less in zip(kinds, lowered < upper, strict=True)]
        upper = np.minimum(upper, lowered)
    upper = np.minimum(upper / filled, 1.0)
    lower = np.minimum(weighting.floor / filled, upper)
    return upper, lower, tuple(kinds)


def _groups(members: pl.DataFrame, weighting: Weighting, *, filled: float) -> tuple[Group, ...]:
    limits = weighting.group_caps
    if limits is None:
        return ()
    names = members[limits.by].fill_null(UNKNOWN_GROUP).to_list()
    shown = {name.casefold(): name for name in sorted(names, reverse=True)}
    folded = np.array([name.casefold() for name in names])
    groups = [Group(shown[name], limits.cap_of(name) / filled, folded == name) for name in sorted(shown)]
    return tuple(group for group in groups if group.cap < 1)


def _scaled(values: Floats, lower: Floats, upper: Floats, *, total: float) -> Floats:
    """`clip(scale * values, lower, upper)` at the scale at which it sums to `total`."""
    if _sum(upper) <= total + TOLERANCE:
        return np.asarray(upper * (total / upper.sum()))
    if _sum(lower) >= total - TOLERANCE:
        return np.asarray(lower * (total / lower.sum()))
    # The sum of the limited weights grows with the scale and bends only where a weight meets a limit.
    bends = np.unique(np.concatenate([upper / values, lower / values]))

    def limited_sum(bend: float) -> float:
        return float(np.clip(bend * values, lower, upper).sum())

    above = bisect_left(bends, total, key=limited_sum)  # the sum at the last bend is that of `upper`, above `total`
    inside = bends[above] if above == 0 else (bends[above - 1] + bends[above]) / 2
    at_upper, at_lower = inside * values >= upper, inside * values <= lower
    is_free = ~(at_upper | at_lower)
    if not is_free.any():  # flat between two bends, so either end already sums to `total`
        return np.asarray(np.clip(bends[above] * values, lower, upper))
    rest = total - _sum(upper[at_upper]) - _sum(lower[at_lower])
    limited = np.where(at_upper, upper, np.where(at_lower, lower, values * (rest / values[is_free].sum())))
    return np.asarray(np.clip(limited, lower, upper))


def _sum(values: Floats) -> float:
    """Sum by distinct value, so that ten times 0.1 is 1."""
    if (values == values[:1]).all():  # most limits are the same for all
        return float(values[:1].sum() * len(values))
    distinct, counts = np.unique(values, return_counts=True)
    return float((distinct * counts).sum())


def _check_sums(bounds: Bounds) -> None:
    """Refuse bounds between which no weights sum to 1, with the way out."""
    count, highest, lowest = len(bounds.upper), float(bounds.upper.max()), float(bounds.lower.min())
    reached = _sum(bounds.upper)
    if reached < 1 - TOLERANCE and "liquidity" in bounds.kinds:
        raise InfeasibleCapError(
            f"liquidity and ceilings let {count} constituents hold only {reached:.4g} of the index, but weights must "
            f"reach 1; lower weighting.liquidity.capital_usd to {reached:.2g} of itself, raise max_volume_share, or "
            "take more liquid constituents"
        )
    if reached < 1 - TOLERANCE and float(bounds.upper.min()) < highest:
        raise InfeasibleCapError(
            f"the ceilings of {count} constituents add up to {reached:.4g}, but weights must reach 1; raise them, or "
            "hold more constituents"
        )
    if reached < 1 - TOLERANCE:
        raise InfeasibleCapError(
            f"cap {highest:g} x {count} constituents = {count * highest:g}, but weights must reach 1; "
            f"raise the cap to at least {1 / count:.4g} or hold at least {int(np.ceil(1 / highest))} constituents"
        )
    if _sum(bounds.lower) > 1 + TOLERANCE:
        floor = float(bounds.lower.max())
        raise InfeasibleCapError(
            f"floor {floor:g} x {count} constituents = {count * floor:g}, but weights must not exceed 1; "
            f"lower the floor to at most {1 / count:.4g} or hold at most {int(1 / floor)} constituents"
        )
    if bounds.groups:
        _check_groups(bounds, lowest)


def _check_groups(bounds: Bounds, floor: float) -> None:
    is_free = np.ones(len(bounds.upper), dtype=bool)
    reached = 0.0
    for group in bounds.groups:
        is_free &= ~group.members
        least = float(bounds.lower[group.members].sum())
        if least > group.cap + TOLERANCE and any(
            kind == "core" for kind, inside in zip(bounds.kinds, group.members, strict=True) if inside
        ):
            raise InfeasibleCapError(
                f"the core and the floors of sector {group.name} hold {least:g}, but the sector at most {group.cap:g}; raise "
                "its cap, or lower weighting.core"
            )
        if least > group.cap + TOLERANCE:
            raise InfeasibleCapError(
                f"{int(group.members.sum())} constituents of sector {group.name} at the floor {floor:g} hold {least:g}, "
                f"but the sector at most {group.cap:g}; raise its cap, or lower the floor to at most "
                f"{group.cap / int(group.members.sum()):.4g}"
            )
        reached += min(group.cap, float(bounds.upper[group.members].sum()))
    reached += float(bounds.upper[is_free].sum())
    if reached < 1 - TOLERANCE:
        names = ", ".join(f"{group.name} {group.cap:g}" for group in bounds.groups)
        raise InfeasibleCapError(
            f"the ceilings of sectors ({names}) and of their constituents let the index hold only "
            f"{reached:.4g}, but weights must reach 1; raise weighting.group_caps, or hold constituents of more sectors"
        )
