"""Variants as arrays: one row a variant, one column a number that its rules hold.

Belongs here: which rules the fast walk knows, and the translation of definitions into numbers.
Does not: expanding a search (`search.py`), applying the rules (`walk.py`).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.sections import Eligibility, Rotation
from models_ml.indices.strict import Strict
from models_ml.optimiser.errors import UnsupportedRuleError
from models_ml.optimiser.ranks import RankKey

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

WeightColumn = tuple[str, int]
"""A method and, where it rests on past returns, over how many days (else 0)."""

KNOWN_METHODS = frozenset(
    {
        *("market_cap", "free_float_cap", "sqrt_market_cap", "equal", "rank", "volume", "grade_conviction"),
        "inverse_volatility",
    }
)
"""Methods without an optimiser."""

KNOWN_FIELDS: dict[str, frozenset[str]] = {
    "": frozenset(
        {
            *("index_id", "name", "kind", "methodology", "twin", "universe", "eligibility", "ranking", "selection"),
            *("weighting", "calendar", "rotation", "base", "minimum_constituents"),
        }
    ),
    "universe": frozenset(
        {"exclude_stable", "exclude_wrapped", "sector", "exclude_sectors", "exclude_tokens", "min_history_days"}
    ),
    "eligibility": frozenset(
        {"min_market_cap_usd", "min_volume_30d_usd", "min_volume_to_cap", "min_price_age_days", "leave_out_calls"}
    ),
    "ranking": frozenset({"by", "among_largest"}),
    "selection": frozenset({"count", "entry_rank", "exit_rank"}),
    "weighting": frozenset(
        {
            *("method", "blend", "volatility_days", "covariance_days", "cap", "floor", "rank_caps"),
            *("volatility_cap", "liquidity"),
        }
    ),
    "calendar": frozenset({"rule", "retrade", "retrade_band"}),
    "rotation": frozenset(
        {"steps", "floor_share", "min_hold_days", "peg_tolerance", "stables", "leave_below_usd", "trigger"}
    ),
    "base": frozenset({"level", "date"}),
}
"""Fields that the walk applies. Any other must have its default: a rule added to the engine later is refused, not ignored."""


@dataclass(frozen=True)
class ParkingKey:
    """What decides which stablecoins are held, whatever the share: the rotation and the limits on their volume."""

    rotation: Rotation
    limits: Eligibility


@dataclass(frozen=True)
class Rules:
    """The rules of some variants, one row each.

    Attributes:
        rank_key: Position in `rank_keys`.
        count: Largest number of constituents.
        entry_rank: Ranks that enter even against the buffer; 0 for none.
        exit_rank: Rank down to which a constituent stays.
        minimum: Fewest constituents with which a target is set.
        parts: Share of each of `columns` in the weights.
        ceilings: Caps by the rank of the weight; one column a rank.
        floor: Smallest weight.
        is_ranked_cap: Whether the ceilings differ by rank.
        calm_column: Position in `calm_days` of the volatility that lowers ceilings; -1 where none does.
        weight_per_usd: Largest weight for each USD of median volume; infinite where liquidity is not limited.
        trades_weekly: Whether every decision trades.
        band: Largest distance from a target before one does.
        parking: Position in `parking_keys`; -1 without rotation.
        turns_daily: Whether Bitcoin is looked at at every close.
        min_hold_days: Least days between two changes of the share in stables.
        leave_below_usd: Close below which a held stablecoin is left.
        base_level: Level at the first close.
        first_decision: Day number of the earliest decision.
    """

    rank_key: Integers
    count: Integers
    entry_rank: Integers
    exit_rank: Integers
    minimum: Integers
    parts: Floats
    ceilings: Floats
    floor: Floats
    is_ranked_cap: Booleans
    calm_column: Integers
    weight_per_usd: Floats
    trades_weekly: Booleans
    band: Floats
    parking: Integers
    turns_daily: Booleans
    min_hold_days: Integers
    leave_below_usd: Floats
    base_level: Floats
    first_decision: Integers

    def __len__(self) -> int:
        """Number of variants."""
        return len(self.count)

    def take(self, rows: Integers) -> Rules:
        """Some of the variants, in the order asked for."""
        return Rules(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass(frozen=True)
class CompiledVariants:
    """Rules as arrays, and what their positions point at."""

    rules: Rules
    rank_keys: tuple[RankKey, ...]
    parking_keys: tuple[ParkingKey, ...]
    columns: tuple[WeightColumn, ...]
    calm_days: tuple[int, ...]


def compile_variants(definitions: Sequence[IndexDefinition]) -> CompiledVariants:
    """Translate definitions.

    Raises:
        UnsupportedRuleError: A definition has a rule that the walk does not know, with all such rules of the first.
    """
    for definition in definitions:
        unknown = list(_unsupported(definition))
        if unknown:
            raise UnsupportedRuleError(
                f"{definition.index_id}: the optimiser does not know {'; '.join(unknown)}. Leave the rule out of the "
                "definition and the search, or backtest the index with make run"
            )
    rank_keys: dict[RankKey, int] = {}
    parking_keys: dict[ParkingKey, int] = {}
    columns: dict[WeightColumn, int] = {}
    calm_days: dict[int, int] = {}
    for definition in definitions:
        rank_keys.setdefault(RankKey.of(definition), len(rank_keys))
        if definition.rotation is not None:
            parking_keys.setdefault(ParkingKey(definition.rotation, definition.eligibility), len(parking_keys))
        for column, _ in _weight_parts(definition):
            columns.setdefault(column, len(columns))
        if definition.weighting.volatility_cap:
            calm_days.setdefault(definition.weighting.volatility_days, len(calm_days))
    most = max(definition.selection.count for definition in definitions)
    parts = np.zeros((len(definitions), len(columns)))
    ceilings = np.ones((len(definitions), most))
    for row, definition in enumerate(definitions):
        for column, share in _weight_parts(definition):
            parts[row, columns[column]] += share
        ceilings[row] = definition.weighting.ceilings(most)
    rules = Rules(
        rank_key=_integers(rank_keys[RankKey.of(each)] for each in definitions),
        count=_integers(each.selection.count for each in definitions),
        entry_rank=_integers(each.selection.entry_rank or 0 for each in definitions),
        exit_rank=_integers(each.selection.exit_rank or each.selection.count for each in definitions),
        minimum=_integers(each.minimum_constituents for each in definitions),
        parts=parts,
        ceilings=ceilings,
        floor=np.array([each.weighting.floor for each in definitions]),
        is_ranked_cap=np.array([bool(each.weighting.rank_caps) for each in definitions]),
        calm_column=_integers(
            calm_days[each.weighting.volatility_days] if each.weighting.volatility_cap else -1 for each in definitions
        ),
        weight_per_usd=np.array([_weight_per_usd(each) for each in definitions]),
        trades_weekly=np.array([each.calendar.retrade == "every_week" for each in definitions]),
        band=np.array([each.calendar.retrade_band for each in definitions]),
        parking=_integers(
            -1 if each.rotation is None else parking_keys[ParkingKey(each.rotation, each.eligibility)]
            for each in definitions
        ),
        turns_daily=np.array(
            [each.rotation is not None and each.rotation.trigger == "daily" for each in definitions], dtype=bool
        ),
        min_hold_days=_integers(each.rotation.min_hold_days if each.rotation else 0 for each in definitions),
        leave_below_usd=np.array([each.rotation.leave_below_usd if each.rotation else 0.0 for each in definitions]),
        base_level=np.array([each.base.level for each in definitions]),
        first_decision=_integers(
            each.base.date.toordinal() if isinstance(each.base.date, dt.date) else 0 for each in definitions
        ),
    )
    return CompiledVariants(rules, tuple(rank_keys), tuple(parking_keys), tuple(columns), tuple(calm_days))


def _weight_parts(definition: IndexDefinition) -> list[tuple[WeightColumn, float]]:
    weighting = definition.weighting
    parts = [(part.method, part.share) for part in weighting.blend] or [(weighting.method, 1.0)]
    return [
        ((method, weighting.volatility_days if method == "inverse_volatility" else 0), share) for method, share in parts
    ]


def _weight_per_usd(definition: IndexDefinition) -> float:
    liquidity = definition.weighting.liquidity
    return math.inf if liquidity is None else liquidity.max_volume_share / liquidity.capital_usd


def _integers(values: Any) -> Integers:
    return np.fromiter(values, dtype=np.int64)


def _unsupported(definition: IndexDefinition) -> Iterator[str]:
    """Rules of a definition that the walk does not apply, with their values."""
    if not definition.is_model_driven:
        yield f"calendar.rule {definition.calendar.rule} (weekly_model only)"
    unknown = [method for method in definition.weighting.methods if method not in KNOWN_METHODS]
    if unknown:
        yield f"weighting.method {unknown[0]} (only {', '.join(sorted(KNOWN_METHODS))})"
    yield from _unknown_in(definition, section="")
    for section in KNOWN_FIELDS:
        inside = getattr(definition, section) if section else None
        if inside is not None:
            yield from _unknown_in(inside, section=section)


def simplified(definition: IndexDefinition) -> tuple[IndexDefinition, tuple[str, ...]]:
    """The definition without the fields that the walk does not know, and what was left out, with its values.

    It is another index than the one published, and whoever shows its figures has to say so. `minimum_constituents` is lowered
    to `selection.count`, as in a search.

    Raises:
        UnsupportedRuleError: Without these fields it is no definition.
    """
    left_out: list[str] = []
    content = definition.model_dump(exclude_unset=True)
    for section in KNOWN_FIELDS:
        inside = getattr(definition, section) if section else definition
        if inside is None:
            continue
        for name, value in _unknown_fields(inside, section=section):
            left_out.append(f"{section + '.' if section else ''}{name} {value}")
            (content[section] if section else content).pop(name)
    content["minimum_constituents"] = min(definition.minimum_constituents, definition.selection.count)
    try:
        return IndexDefinition.model_validate(content), tuple(left_out)
    except ValidationError as error:
        told = "; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors(include_url=False))
        raise UnsupportedRuleError(
            f"{definition.index_id}: without {'; '.join(left_out)}, which the optimiser does not know, it is no index ({told}); "
            "backtest it with make run"
        ) from None


def _unknown_in(model: Strict, *, section: str) -> Iterator[str]:
    for name, value in _unknown_fields(model, section=section):
        yield f"{section + '.' if section else ''}{name} {value}"


def _unknown_fields(model: Strict, *, section: str) -> Iterator[tuple[str, Any]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if name not in KNOWN_FIELDS[section] and value != field.get_default(call_default_factory=True):
            yield name, value
