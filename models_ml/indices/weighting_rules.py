"""How an index definition weighs its constituents: the section `weighting`, and what cannot hold between its fields.

Belongs here: methods, blends and limits as a user writes them, and the checks that need no market.
Does not: computing weights (`weighting.py`, `optimised_weights.py`) or applying limits (`limits.py`).
"""

import math
from collections.abc import Iterator
from typing import Literal, get_args

from pydantic import Field

from models_ml.indices.definition_problems import FieldProblem
from models_ml.indices.feature_rules import Tilt, tilt_problems
from models_ml.indices.strict import TOLERANCE, Share, Strict, Text

OptimisedMethod = Literal["risk_parity", "hierarchical_risk_parity", "minimum_variance"]
Method = Literal[
    "market_cap",
    "equal",
    "sqrt_market_cap",
    "grade_conviction",
    "free_float_cap",
    "rank",
    "volume",
    "inverse_volatility",
    "risk_parity",
    "hierarchical_risk_parity",
    "minimum_variance",
]
OPTIMISED_METHODS: tuple[str, ...] = get_args(OptimisedMethod)

UNKNOWN_GROUP = "unknown"


class BlendPart(Strict):
    """One method of a blend and its share of every weight."""

    method: Method
    share: Share


class GroupCap(Strict):
    """The ceiling of one group, instead of the one for all."""

    group: Text
    cap: Share


class GroupCaps(Strict):
    """Ceilings on the weight of all constituents of one sector together.

    Names are compared without regard to case. Constituents whose sector is not known count together as the sector
    `unknown`; `exceptions: [{group: unknown, cap: 1}]` lifts its ceiling.
    """

    by: Literal["sector"] = "sector"
    cap: Share = 1.0
    """Ceiling of every group that has no exception."""
    exceptions: tuple[GroupCap, ...] = ()

    def cap_of(self, group: str) -> float:
        """Ceiling of a group."""
        own = {exception.group.casefold(): exception.cap for exception in self.exceptions}
        return own.get(group.casefold(), self.cap)


class LiquidityLimit(Strict):
    """Ceiling of each constituent from what it trades, for an index of a given size.

    A constituent may hold at most `max_volume_share` x its median 30-day volume / `capital_usd`. Where that is less
    than the floor, it holds what its liquidity allows.
    """

    capital_usd: float = Field(gt=0)
    """Money that follows the index."""
    max_volume_share: float = Field(gt=0)
    """Largest position in a constituent, as a multiple of the value it trades on a median day of the last 30."""


class Weighting(Strict):
    """How the selected tokens share the invested part of the index.

    `free_float_cap` is market cap x the candidates' `free_float_share`; where the share of a token is not known, or no
    candidate has such a column, it is the market cap.
    """

    method: Method = "market_cap"
    """What weights are in proportion to (docs/reference/index-weighting.md)."""
    blend: tuple[BlendPart, ...] = ()
    """Several methods instead of `method`; each weight is the sum of share x the method's weight."""
    volatility_days: int = Field(default=90, ge=10, le=3650)
    """`inverse_volatility` and `volatility_cap` only: number of daily returns up to the snapshot."""
    covariance_days: int = Field(default=90, ge=10, le=3650)
    """`risk_parity`, `hierarchical_risk_parity`, `minimum_variance`: number of daily returns up to the snapshot."""
    cap: float = Field(default=1.0, gt=0, le=1)
    """Largest weight of a constituent."""
    floor: float = Field(default=0.0, ge=0, lt=1)
    """Smallest weight of a constituent."""
    rank_caps: tuple[Share, ...] = ()
    """Ceilings of the largest constituent, the second largest and so on; `cap` is the ceiling of all others."""
    capping: Literal["iterative", "single_pass", "flexible"] = "iterative"
    """`iterative` shares an excess out until every limit holds, `single_pass` once, so that a weight may end above its
    ceiling. `flexible` does that, too, and brings a constituent over its ceiling only half way down from its present
    weight."""
    group_caps: GroupCaps | None = None
    """Largest weights of sectors; null for no limit."""
    liquidity: LiquidityLimit | None = None
    """Largest positions by what is traded; null for no limit."""
    volatility_cap: bool = False
    """Lowers the ceiling of a constituent that moves more than the median one in proportion: cap x median volatility / its own, over
    `volatility_days`. One that moves less keeps its ceiling, and so does one without enough closes."""
    max_turnover: Share | None = None
    """Largest sum of |new - old| / 2 of one rebalance; null for no limit. Leaving tokens are then sold first, the others
    go part of their way (`limits.part_of_the_way`), and weights may stay outside the other limits until they arrive."""
    tilt: Tilt | None = None
    """Leans the weights towards constituents that stand high in some features, before limits; null for none."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods in use, one unless there is a blend."""
        return tuple(part.method for part in self.blend) or (self.method,)

    @property
    def uses_volume(self) -> bool:
        """Whether a constituent without volume could not be weighed."""
        return "volume" in self.methods or self.liquidity is not None

    @property
    def uses_grade(self) -> bool:
        """Whether a constituent without a grade could not be weighed."""
        return "grade_conviction" in self.methods

    @property
    def may_be_refused(self) -> bool:
        """Whether a rebalance may fail although there are enough constituents: only the market decides."""
        is_optimised = any(method in OPTIMISED_METHODS for method in self.methods)
        return is_optimised or self.volatility_cap or self.group_caps is not None or self.liquidity is not None

    def ceilings(self, count: int) -> list[float]:
        """Ceilings by the rank of `count` constituents, largest constituent first."""
        return [*self.rank_caps, *[self.cap] * count][:count]


def weighting_problems(weighting: Weighting, *, count: int, fewest: int, sector: str | None) -> Iterator[FieldProblem]:
    """What makes the weighting impossible whatever the market does.

    Args:
        weighting: The section.
        count: Largest number of constituents.
        fewest: Smallest number of constituents with which the index runs.
        sector: The only sector that the index takes its constituents from, None for all.
    """
    yield from _ceiling_problems(weighting, count=count, fewest=fewest)
    yield from _floor_problems(weighting, count=count)
    yield from _method_problems(weighting, count=count)
    yield from _group_problems(weighting, fewest=fewest, sector=sector)
    yield from tilt_problems(weighting.tilt)
    if weighting.liquidity is not None and weighting.capping != "iterative":
        yield FieldProblem(
            "weighting.liquidity",
            f"weighting.capping {weighting.capping} may leave a weight above what its liquidity allows",
            "set weighting.capping to iterative, or leave the liquidity limit out",
        )


def _ceiling_problems(weighting: Weighting, *, count: int, fewest: int) -> Iterator[FieldProblem]:
    cap = weighting.cap
    if weighting.rank_caps:
        yield from _rank_cap_problems(weighting, fewest=min(count, fewest))
    elif count * cap < 1 - TOLERANCE:
        yield FieldProblem(
            "weighting.cap",
            f"{cap:g} x selection.count {count} = {count * cap:g}, but weights must reach 1",
            f"raise the cap to at least {1 / count:.4g} or select at least {math.ceil(1 / cap)} tokens",
        )
    elif fewest * cap < 1 - TOLERANCE:
        yield FieldProblem(
            "weighting.cap",
            f"{cap:g} x minimum_constituents {fewest} = {fewest * cap:g}, but weights must reach 1 then, too",
            f"raise the cap to at least {1 / fewest:.4g} or minimum_constituents to {math.ceil(1 / cap)}",
        )


def _rank_cap_problems(weighting: Weighting, *, fewest: int) -> Iterator[FieldProblem]:
    descending = [*weighting.rank_caps, weighting.cap]
    if sorted(descending, reverse=True) != descending:
        shown = ", ".join(f"{cap:g}" for cap in weighting.rank_caps)
        yield FieldProblem(
            "weighting.rank_caps",
            f"{shown} and then weighting.cap {weighting.cap:g} for all others do not descend",
            f"sort them, and set weighting.cap to at most {min(weighting.rank_caps):g}",
        )
    reached = math.fsum(weighting.ceilings(fewest))
    if reached < 1 - TOLERANCE:
        needed = len(weighting.rank_caps) + math.ceil((1 - math.fsum(weighting.rank_caps)) / weighting.cap - TOLERANCE)
        yield FieldProblem(
            "weighting.rank_caps",
            f"the ceilings of {fewest} constituents add up to {reached:g}, but weights must reach 1",
            f"raise them or weighting.cap, or set minimum_constituents to at least {needed}",
        )


def _floor_problems(weighting: Weighting, *, count: int) -> Iterator[FieldProblem]:
    floor, cap = weighting.floor, weighting.cap
    if count * floor > 1 + TOLERANCE:
        yield FieldProblem(
            "weighting.floor",
            f"{floor:g} x selection.count {count} = {count * floor:g}, but weights must not exceed 1",
            f"lower the floor to at most {1 / count:.4g}",
        )
    if floor > cap:
        yield FieldProblem("weighting.floor", f"{floor:g} lies above weighting.cap {cap:g}", f"set at most {cap:g}")


def _method_problems(weighting: Weighting, *, count: int) -> Iterator[FieldProblem]:
    total = math.fsum(part.share for part in weighting.blend)
    if weighting.blend and abs(total - 1) > TOLERANCE:
        yield FieldProblem("weighting.blend", f"shares add up to {total:g}", "make them add up to 1")
    if weighting.blend and "method" in weighting.model_fields_set:
        yield FieldProblem(
            "weighting.method", f"{weighting.method} is given beside weighting.blend", "keep one of the two"
        )
    optimised = [method for method in weighting.methods if method in OPTIMISED_METHODS]
    if optimised and weighting.covariance_days <= count:
        yield FieldProblem(
            "weighting.covariance_days",
            f"{weighting.covariance_days} days are too few for the covariance of selection.count {count} tokens, "
            f"which {optimised[0]} needs",
            f"set at least {count + 1}, better twice as many",
        )


def _group_problems(weighting: Weighting, *, fewest: int, sector: str | None) -> Iterator[FieldProblem]:
    limits = weighting.group_caps
    if limits is None:
        return
    if weighting.capping != "iterative":
        yield FieldProblem(
            "weighting.group_caps",
            f"weighting.capping {weighting.capping} may leave a group above its ceiling",
            "set weighting.capping to iterative, or leave the group caps out",
        )
    names = [exception.group.casefold() for exception in limits.exceptions]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        yield FieldProblem(
            "weighting.group_caps.exceptions", f"{repeated[0]} is there more than once", "keep one ceiling a group"
        )
    if sector is not None and limits.cap_of(sector) < 1:
        yield FieldProblem(
            "weighting.group_caps",
            f"all constituents are of universe.sector {sector}, which may hold only {limits.cap_of(sector):g}",
            "leave the group caps out, or universe.sector",
        )
    highest = max([limits.cap, *(exception.cap for exception in limits.exceptions)])
    if sector is None and fewest * highest < 1 - TOLERANCE:
        yield FieldProblem(
            "weighting.group_caps.cap",
            f"{highest:g} x minimum_constituents {fewest}, were each of another sector, = {fewest * highest:g}, but "
            "weights must reach 1",
            f"raise it to at least {1 / fewest:.4g}",
        )
    lowest = min([limits.cap, *(exception.cap for exception in limits.exceptions)])
    if weighting.floor > lowest:
        yield FieldProblem(
            "weighting.floor",
            f"{weighting.floor:g} lies above the ceiling {lowest:g} of a whole group in weighting.group_caps",
            f"set at most {lowest:g}",
        )
