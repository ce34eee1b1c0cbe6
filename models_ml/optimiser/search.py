"""A search: which fields of an index definition vary, over which values, and the definitions that come of it.

Belongs here: the section as a user writes it, and its expansion into valid definitions.
Does not: which rules the fast walk knows (`rules.py`), what is asked of the variants (`goals.py`).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError, field_validator

from models_ml.indices.definition import IndexDefinition
from models_ml.indices.sections import Rotation
from models_ml.indices.strict import Strict
from models_ml.optimiser.errors import SearchError
from models_ml.yaml_text import YamlTextError, load_yaml

CALLED = frozenset({"index_id", "name", "kind", "methodology", "twin"})
"""Fields that say what an index is called and not how it works."""

MOST_TRIES_A_VARIANT = 50
"""Combinations tried for each variant wanted before a search counts as one that fits no definition."""


class Search(Strict):
    """Fields of a definition by their dotted name, each with the values it takes."""

    vary: dict[str, tuple[Any, ...]] = Field(min_length=1)
    """For example `selection.count: [10, 20]`; a whole section is one value: `rotation: [null, {steps: [...]}]`."""
    variants: int | None = Field(default=None, ge=2, le=100_000)
    """Number of variants drawn at random from all combinations; null takes all."""
    seed: int = 1
    """Of the draw."""

    @field_validator("vary")
    @classmethod
    def fields_have_values(cls, vary: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        """Refuse fields without values, and those that name an index rather than describe it."""
        empty = [name for name, values in vary.items() if not values]
        if empty:
            raise ValueError(f"{empty[0]} has no values; list at least one, or leave the field out")
        naming = [name for name in vary if name.split(".")[0] in CALLED]
        if naming:
            raise ValueError(f"{naming[0]} says what an index is called and not how it works; leave it out")
        return vary

    @property
    def combinations(self) -> int:
        """Number of combinations, valid or not."""
        return math.prod(len(values) for values in self.vary.values())


@dataclass(frozen=True)
class Variants:
    """What a search came to.

    Attributes:
        definitions: Valid definitions, all different; the first is the definition as it is.
        choices: For each, the value of every field that varies, by its dotted name; for the first as it is.
        refused: Combinations that are no valid definition.
        repeated: Combinations that came to a definition that was already there.
        example: What was wrong with the first refused combination, None where none was.
    """

    definitions: tuple[IndexDefinition, ...]
    choices: tuple[Mapping[str, Any], ...]
    refused: int
    repeated: int
    example: str | None


def parse_search(text: str, *, name: str) -> Search:
    """Read a search from YAML (`vary:`, `variants:`, `seed:`).

    Raises:
        SearchError: It is not valid YAML, or no search; with all that is wrong.
    """
    try:
        content = load_yaml(text)
    except YamlTextError as error:
        raise SearchError(f"{name}:{error.line}: not valid YAML ({error}); correct this line") from None
    if not isinstance(content, dict):
        raise SearchError(f"{name}: holds no keys; write `vary:` and below it fields with lists of values")
    try:
        return Search.model_validate(content)
    except ValidationError as error:
        raise SearchError(f"{name}: {_problems(error)}; correct the search") from None


def default_search(definition: IndexDefinition, *, variants: int = 500) -> Search:
    """A search around a model-driven definition: what a user would turn first, as the definition has it and around it.

    Rules that only some definitions have (calls, ceilings by volatility) are turned off in a part of the variants of those.
    """
    count = definition.selection.count
    counts = sorted({max(2, round(count * factor)) for factor in (0.5, 0.75, 1.0, 1.5, 2.0)})
    ranks = sorted({max(2, round(count * factor)) for factor in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0)})
    pool = definition.ranking.among_largest or 100
    full = {"below_btc_average_days": 200, "share": 1.0}
    half = [{"below_btc_average_days": days, "share": 0.5} for days in (100, 200)]
    calls, is_calm = definition.eligibility.leave_out_calls, definition.weighting.volatility_cap
    own: dict[str, tuple[Any, ...]] = {"eligibility.leave_out_calls": (calls, ())} if calls else {}
    own |= {"weighting.volatility_cap": (True, False)} if is_calm else {}
    return Search(
        vary={
            "selection.count": tuple(counts),
            "selection.exit_rank": tuple(ranks),
            "ranking.among_largest": tuple(sorted({round(pool * factor) for factor in (0.5, 1.0, 2.0)})),
            "ranking.by": ("score", "trader_grade", "market_cap_usd"),
            "weighting.method": ("market_cap", "sqrt_market_cap", "equal", "rank", "volume", "inverse_volatility"),
            "weighting.cap": (0.1, 0.2, 0.4),
            "rotation": (
                None,
                *_rotations_around(definition.rotation),
                {"steps": half, "min_hold_days": 7},
                {"steps": half, "min_hold_days": 28},
                {"steps": [full], "min_hold_days": 7},
                {"steps": [full | {"below_btc_average_days": 100}], "min_hold_days": 7},
            ),
            "calendar.retrade_band": (0.02, 0.05, 0.15),
            "eligibility.min_volume_30d_usd": (500_000.0, 5_000_000.0),
            **own,
        },
        variants=variants,
    )


def _rotations_around(rotation: Rotation | None) -> Iterator[dict[str, Any]]:
    """A rotation that follows Bitcoin daily, as it is, held twice as long and looked at weekly; nothing for any other.

    Those that follow it weekly have their neighbours in the shipped choice.
    """
    if rotation is None or rotation.trigger == "weekly":
        return
    content = rotation.model_dump(mode="json", exclude_defaults=True)
    yield content
    yield content | {"min_hold_days": 2 * max(rotation.min_hold_days, 7)}
    yield content | {"trigger": "weekly"}


def expand(definition: IndexDefinition, search: Search) -> Variants:
    """Every combination of a search as a definition, or as many drawn at random as it asks for.

    The definition as it is comes first, whether the search reaches it or not: it is what a user would leave for another.
    `minimum_constituents` is lowered to `selection.count` where a variant holds fewer; all else is as the definition has it.

    Raises:
        SearchError: A field is no field of a definition, or no combination is a valid definition other than the one given.
    """
    content = definition.model_dump(exclude_unset=True)
    for name in search.vary:
        _check_field(name)
    asked = {name: _value_of(definition, name) for name in search.vary}
    definitions, choices = [definition], [asked]
    seen = {_rules(definition)}
    refused = repeated = tried = 0
    example = None
    wanted = search.combinations if search.variants is None else search.variants - 1
    for combination in _combinations(search):
        if len(definitions) > wanted:
            break
        tried += 1
        try:
            variant = _varied(content, combination, number=len(definitions))
        except ValidationError as error:
            refused += 1
            example = example or f"{_shown(combination)}: {_problems(error)}"
            continue
        rules = _rules(variant)
        if rules in seen:
            repeated += 1
            continue
        seen.add(rules)
        definitions.append(variant)
        choices.append(combination)
    if len(definitions) < 2:
        raise SearchError(
            f"none of {tried} combinations is a definition other than {definition.index_id} itself"
            + (f" ({example}); widen the values of the search" if example else "; widen the values of the search")
        )
    return Variants(tuple(definitions), tuple(choices), refused, repeated, example)


def _combinations(search: Search) -> Iterator[dict[str, Any]]:
    names, values = list(search.vary), list(search.vary.values())
    if search.variants is None:
        yield from (dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values))
        return
    draw = random.Random(search.seed)
    tries = min(search.combinations, MOST_TRIES_A_VARIANT * search.variants)
    for position in draw.sample(range(search.combinations), tries):
        yield dict(zip(names, _at(values, position), strict=True))


def _at(values: Sequence[Sequence[Any]], position: int) -> list[Any]:
    chosen = []
    for options in reversed(values):
        position, digit = divmod(position, len(options))
        chosen.append(options[digit])
    return chosen[::-1]


def _varied(content: Mapping[str, Any], combination: Mapping[str, Any], *, number: int) -> IndexDefinition:
    changed: dict[str, Any] = {**content, "index_id": f"{content['index_id']}_v{number:05d}"}
    for name, value in combination.items():
        *sections, field = name.split(".")
        inside = changed
        for section in sections:
            inside[section] = dict(inside.get(section) or {})
            inside = inside[section]
        inside[field] = value
    # A definition has a method or a blend: the one that varies takes the place of the other.
    if combination.get("weighting.blend"):
        changed["weighting"].pop("method", None)
    elif "weighting.method" in combination:
        changed["weighting"].pop("blend", None)
    count = changed["selection"].get("count")
    if isinstance(count, int):
        changed["minimum_constituents"] = min(changed["minimum_constituents"], count)
    return IndexDefinition.model_validate(changed)


def _rules(definition: IndexDefinition) -> tuple[Any, ...]:
    """What makes two definitions the same index, whatever they are called."""
    names = (name for name in IndexDefinition.model_fields if name not in CALLED)
    return tuple(getattr(definition, name) for name in names)


def _check_field(name: str) -> None:
    model: Any = IndexDefinition
    for part in name.split("."):
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            known = ", ".join(fields) or "none"
            raise SearchError(f"vary: {name} is no field of an index definition ({part} is not among {known})")
        annotation = fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((option for option in options if hasattr(option, "model_fields")), None)


def _value_of(definition: IndexDefinition, name: str) -> Any:
    value: Any = definition
    for part in name.split("."):
        value = getattr(value, part, None)
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'definition'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False)
    )


def _shown(combination: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in combination.items())
