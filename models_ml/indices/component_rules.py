"""Indices of indices: the section `components`, and what cannot hold within it or between definitions.

Belongs here: components as a user writes them, the checks that need no market, and the order in which indices follow from
each other.
Does not: what a composite holds (`components.py`), all other sections (`definition.py`).
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from models_ml.indices.definition_problems import FieldProblem
from models_ml.indices.strict import TOLERANCE, Share, Strict, Text

TAKEN_FROM_COMPONENTS = (
    "universe",
    "eligibility",
    "ranking",
    "selection",
    "weighting",
    "rotation",
    "risk_mode",
    "minimum_constituents",
    "market_cap_half_life_days",
)
"""Fields that each component has for itself."""
FEWEST = 2


class Component(Strict):
    """Another index and its share."""

    index: Text
    """Its index_id; an index of indices may be one, too."""
    weight: Share
    """Share of this index that it is set back to at every occasion of the calendar; all add up to 1."""


def component_problems(
    components: Sequence[Component], *, index_id: str, given: Collection[str], rule: str, has_reviews: bool
) -> Iterator[FieldProblem]:
    """What is wrong with an index of indices by itself.

    Args:
        components: The section, not empty.
        index_id: The index that holds them.
        given: Top-level fields that the user wrote.
        rule: `calendar.rule`.
        has_reviews: Whether `calendar.review_months` is given.
    """
    for field in TAKEN_FROM_COMPONENTS:
        if field in given:
            yield FieldProblem(
                field, "is given beside components, and each component has its own", f"leave {field} or components out"
            )
    names = [component.index for component in components]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        yield FieldProblem(
            "components", f"{repeated[0]} is there more than once", "name every index once, with its whole weight"
        )
    if index_id in names:
        yield FieldProblem("components", f"{index_id} holds itself", "leave it out")
    if len(components) < FEWEST:
        yield FieldProblem("components", f"there is only {names[0]}", f"name at least {FEWEST} indices")
    total = math.fsum(component.weight for component in components)
    if abs(total - 1) > TOLERANCE:
        yield FieldProblem("components", f"weights add up to {total:g}", "make them add up to 1")
    if rule != "monthly":
        yield FieldProblem(
            "calendar.rule",
            f"{rule} decides by a model, but an index of indices sets weights back by the calendar",
            "set monthly, and calendar.months if not in each",
        )
    if has_reviews:
        yield FieldProblem(
            "calendar.review_months", "components are not chosen, so nothing is reviewed", "leave it out"
        )


def unknown_components(components: Mapping[str, Sequence[Component]], *, file_of: Mapping[str, str]) -> Iterator[str]:
    """Problems of all definitions together: components that are no definition, and circles.

    Args:
        components: The section of every definition by index_id, empty for an index of tokens.
        file_of: Name of the file of every definition.
    """
    for index_id, section in sorted(components.items()):
        for component in section:
            if component.index not in components:
                yield (
                    f"{file_of[index_id]}: components: {component.index!r} is no index_id of any definition; name one "
                    "that is there, or leave it out"
                )
    for circle in _circles(components):
        shown = " -> ".join([*circle, circle[0]])
        yield (
            f"{file_of[circle[0]]}: components: {shown} hold each other in a circle; take one of them out of another's "
            "components"
        )


def in_order_of_dependency(components: Mapping[str, Sequence[Component]]) -> list[str]:
    """index_ids with every index after its components, else sorted.

    Args:
        components: The section of every definition by index_id, without circles; components that are not among the keys
            are left aside.
    """
    ordered: dict[str, None] = {}

    def visit(index_id: str) -> None:
        if index_id in ordered or index_id not in components:
            return
        for component in components[index_id]:
            visit(component.index)
        ordered[index_id] = None

    for index_id in sorted(components):
        visit(index_id)
    return list(ordered)


def _circles(components: Mapping[str, Sequence[Component]]) -> list[tuple[str, ...]]:
    """Circles, at least one of indices that hang together so, each from its alphabetically first index; not of one that holds itself."""
    found: set[tuple[str, ...]] = set()
    done: set[str] = set()

    def walk(index_id: str, path: tuple[str, ...]) -> None:
        if index_id in path:
            circle = path[path.index(index_id) :]
            first = circle.index(min(circle))
            if len(circle) > 1:
                found.add(circle[first:] + circle[:first])
            return
        if index_id in done:
            return
        for inner in _names(components.get(index_id, ())):
            walk(inner, (*path, index_id))
        done.add(index_id)

    for index_id in sorted(components):
        walk(index_id, ())
    return sorted(found)


def _names(section: Iterable[Component]) -> list[str]:
    return [component.index for component in section]
