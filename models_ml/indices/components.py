"""Indices of indices: what a composite holds, looked through to tokens.

Belongs here: components as they were published, the occasions at which their weights are set back, and the targets that
follow in tokens.
Does not: the section `components` and its checks (`component_rules.py`), the walk from close to close (`engine.py`),
reading published rows (`orchestration`).

Component weights are set back at the composite's own occasions. Between them they drift with the levels of the components:
at a close c after the last occasion t, component k weighs w_k L_k(c) / L_k(t) over the sum of these. Whenever a component
rebalances, the composite does at the same close, to these weights looked through, so that its level stays the sum of
w_k L_k(c) / L_k(t) times its level at t. All of it follows from published rows of the components: nothing else needs to be
remembered from week to week.

An occasion counts only where all components have a level at its close. One that does not is made up for on the first Monday
on which they do; before the composite has started, it is left out.
"""

import bisect
import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import StateError
from models_ml.indices.levels import Basket, basket_at
from models_ml.indices.market import PriceLookup
from models_ml.indices.schedule import LONGEST_PAUSE, ONE_WEEK, calendar_instants
from models_ml.indices.state import ONE_DAY, Rebalance, Target, midnight, rebalances_of

LOOK_BACK = dt.timedelta(days=100)
"""The calendar is searched backwards in parts of this length; a quarter is the longest usual pause."""


@dataclass(frozen=True)
class Slice:
    """One token of one component at a close: its fraction of the component, 0 for one that it gives up then, and why."""

    token_id: str
    symbol: str
    weight: float
    reason: str


@dataclass(frozen=True)
class ComponentHistory:
    """What an index has published so far, as an index that holds it needs it.

    Attributes:
        index_id: The component.
        rebalances: All of them in order, those that are not yet in force among them.
        levels: Level by day, of the days that have one.
        unavailable: Why it had no level, by the Monday that ends the week.
    """

    index_id: str
    rebalances: tuple[Rebalance, ...]
    levels: Mapping[dt.date, float]
    unavailable: Mapping[dt.date, str]

    @classmethod
    def from_rows(
        cls,
        definition: IndexDefinition,
        rebalances: pl.DataFrame,
        levels: pl.DataFrame,
        *,
        unavailable: Mapping[dt.date, str],
    ) -> "ComponentHistory":
        """Take up published rows of one index (`REBALANCE_SCHEMA`, `LEVEL_SCHEMA`).

        Raises:
            StateError: Rows of another index are among them.
        """
        others = {*rebalances["index_id"], *levels["index_id"]} - {definition.index_id}
        if others:
            raise StateError(
                f"rows of {sorted(others)[0]} were handed over as those of {definition.index_id}; pass its own"
            )
        by_day = dict(levels.select("date", "level").iter_rows())
        known = [replace(each, level=by_day.get(each.close_date)) for each in rebalances_of(rebalances)]
        if known and known[0].level is None:
            known[0] = replace(known[0], level=definition.base.level)
        return cls(definition.index_id, tuple(known), by_day, unavailable)

    @cached_property
    def first_level_on(self) -> dt.date | None:
        """First day with a level."""
        return min(self.levels, default=None)


@dataclass(frozen=True)
class LookThrough:
    """An instant at which a composite rebalances.

    Attributes:
        effective_at: The instant.
        is_set_back: Whether component weights are set back, else they stay as they drifted.
        weights: Component weights by index_id, summing to 1.
        slices: What each component holds then, and gives up, in the order of the definition.
    """

    effective_at: dt.datetime
    is_set_back: bool
    weights: Mapping[str, float]
    slices: Mapping[str, Sequence[Slice]]

    def rebalance(self, held: Mapping[str, str]) -> Rebalance:
        """Target weights of tokens, with the share and the reason of every component.

        Args:
            held: Symbols by token_id of what the composite holds; of these, the ones in no component leave.
        """
        weights: dict[str, list[float]] = {}
        clauses: dict[str, list[str]] = {}
        symbols = dict(held)
        for index_id, slices in self.slices.items():
            for each in slices:
                if each.weight == 0 and each.token_id not in held:
                    continue
                share = self.weights[index_id] * each.weight
                symbols[each.token_id] = each.symbol
                weights.setdefault(each.token_id, []).append(share)
                clauses.setdefault(each.token_id, []).append(
                    reasons.in_component(index_id, share=share, reason=each.reason)
                )
        targets = [
            Target(
                token_id,
                symbols[token_id],
                math.fsum(weights.get(token_id, ())),
                reasons.looked_through(clauses.get(token_id, ()), is_set_back=self.is_set_back),
            )
            for token_id in sorted(symbols)
        ]
        return Rebalance(self.effective_at, tuple(targets))


@dataclass(frozen=True)
class Components:
    """The components of one composite through time. Every question names a day or week and is answered from it or earlier.

    Attributes:
        definition: The composite.
        histories: By index_id, of all its components.
        prices: Closes.
    """

    definition: IndexDefinition
    histories: Mapping[str, ComponentHistory]
    prices: PriceLookup
    _baskets: dict[tuple[str, int], Basket] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse to do without a component.

        Raises:
            StateError: One has no history; an empty one stands for an index that has published nothing.
        """
        missing = [each.index for each in self.definition.components if each.index not in self.histories]
        if missing:
            raise StateError(f"{self.definition.index_id} holds {missing[0]}, whose history was not handed over")

    def have_levels(self, day: dt.date) -> bool:
        """Whether all components have a level at a close."""
        return all(day in self.histories[each.index].levels for each in self.definition.components)

    def why_unavailable(self, week: dt.date) -> str | None:
        """Which components end a week without a level, and why; None where all have one."""
        without = [
            self.histories[each.index]
            for each in self.definition.components
            if week - ONE_DAY not in self.histories[each.index].levels
        ]
        told = [f"{each.index_id}: {each.unavailable.get(week, 'it has no level yet')}" for each in without]
        return "; ".join(told) or None

    def look_throughs(self, week: dt.date, *, is_started: bool) -> Iterator[LookThrough]:
        """The instants of a week at which the composite rebalances, in order.

        Args:
            week: The Monday that ends the week.
            is_started: Whether the composite was ever composed before the week.
        """
        start, end = midnight(week - ONE_WEEK), midnight(week)
        own = self._own_occasions(start, end, is_started=is_started)
        traded = {
            rebalance.effective_at
            for each in self.definition.components
            for rebalance in self._in_force(each.index, start, end)
        }
        base = self._last_set_back(start) if is_started else None
        for instant in sorted({*own, *traded}):
            base = instant if instant in own else base
            if base is not None:
                yield LookThrough(
                    instant,
                    is_set_back=instant in own,
                    weights=self._weights_at(instant.date() - ONE_DAY, since=base.date() - ONE_DAY),
                    slices={each.index: self._slices(each.index, instant) for each in self.definition.components},
                )

    def next_occasion(self, after: dt.datetime) -> dt.datetime:
        """The composite's next own occasion, at which it starts if it has not."""
        if isinstance(self.definition.base.date, dt.date):
            base = midnight(self.definition.base.date + ONE_DAY)
            if base > after:
                return base
        return calendar_instants(self.definition.calendar, after, after + LONGEST_PAUSE)[0]

    def _own_occasions(self, start: dt.datetime, end: dt.datetime, *, is_started: bool) -> set[dt.datetime]:
        named = [instant for instant in self._named_backwards(end, oldest=start) if instant > start]
        counted = {instant for instant in named if self.have_levels(instant.date() - ONE_DAY)}
        if (is_started or counted) and self._last_set_back(end) == end:
            counted.add(end)
        return counted

    def _last_set_back(self, until: dt.datetime) -> dt.datetime | None:
        """The newest instant up to one at which component weights were set back; only for a composite that has started by then.

        It is at or after the start: the composite started at an occasion at which all components had levels.
        """
        first = [self.histories[each.index].first_level_on for each in self.definition.components]
        known = [day for day in first if day is not None]
        if len(known) < len(first):
            return None
        for named in self._named_backwards(until, oldest=midnight(max(known))):
            if self.have_levels(named.date() - ONE_DAY):
                return named
            monday = named + ONE_DAY * (7 - named.weekday())
            while monday <= until:
                if self.have_levels(monday.date() - ONE_DAY):
                    return monday
                monday += ONE_WEEK
        return None

    def _named_backwards(self, until: dt.datetime, *, oldest: dt.datetime) -> Iterator[dt.datetime]:
        """Instants that the calendar and the base name, newest first, up to one and back to another or somewhat further."""
        base = self.definition.base.date
        floor = midnight(base + ONE_DAY) if isinstance(base, dt.date) else None
        end = until
        while end >= oldest:
            for instant in reversed(calendar_instants(self.definition.calendar, end - LOOK_BACK, end)):
                if floor is None or instant > floor:
                    yield instant
            if floor is not None and end - LOOK_BACK < floor <= end:
                yield floor
            end -= LOOK_BACK

    def _in_force(self, index_id: str, after: dt.datetime, until: dt.datetime) -> tuple[Rebalance, ...]:
        """Rebalances of a component that take effect after one instant and up to another."""
        rebalances = self.histories[index_id].rebalances
        first, last = (bisect.bisect_right(rebalances, limit, key=_effective_at) for limit in (after, until))
        return rebalances[first:last]

    def _weights_at(self, day: dt.date, *, since: dt.date) -> dict[str, float]:
        """Component weights at a close, set back at an earlier one or at the same."""
        grown = {
            each.index: each.weight * self._level(each.index, day) / self.histories[each.index].levels[since]
            for each in self.definition.components
        }
        total = math.fsum(grown.values())
        return {index_id: value / total for index_id, value in grown.items()}

    def _level(self, index_id: str, day: dt.date) -> float:
        """Level of a component at a close; in a week without levels, what its basket has come to."""
        level = self.histories[index_id].levels.get(day)
        return level if level is not None else self._basket(index_id, day).closes(self.prices, day, day)[0].level

    def _basket(self, index_id: str, day: dt.date) -> Basket:
        """The basket of a component after any rebalance at a close."""
        rebalances = self.histories[index_id].rebalances
        position = bisect.bisect_right(rebalances, midnight(day + ONE_DAY), key=_effective_at) - 1
        if (index_id, position) not in self._baskets:
            first = next((back for back in range(position, -1, -1) if rebalances[back].level is not None), position + 1)
            basket = basket_at(rebalances[first : position + 1], prices=self.prices)
            if basket is None:
                raise StateError(f"{index_id} has a level on {day}, but no rebalance up to then; rebuild its weeks")
            self._baskets[index_id, position] = basket
        return self._baskets[index_id, position]

    def _slices(self, index_id: str, instant: dt.datetime) -> list[Slice]:
        """What a component holds after an instant, and what it gives up at it."""
        day = instant.date() - ONE_DAY
        basket = self._basket(index_id, day)
        close = basket.closes(self.prices, day, day)[0]
        is_traded = basket.effective_at == instant
        slices = [
            Slice(
                target.token_id,
                target.symbol,
                weight,
                target.reason
                if is_traded
                else reasons.held_since(basket.effective_at, reason=target.reason, priced_on=priced_on, close_date=day),
            )
            for target, weight, priced_on in zip(basket.holdings, close.weights, close.priced_on, strict=True)
        ]
        given_up = [
            Slice(target.token_id, target.symbol, 0.0, target.reason)
            for rebalance in self._in_force(index_id, instant - ONE_DAY, instant)
            for target in rebalance.targets
            if target.weight == 0
        ]
        return slices + given_up


def undated_inputs(definition: IndexDefinition, definitions: Mapping[str, IndexDefinition]) -> tuple[str, ...]:
    """Undated columns that an index rests on, itself and through its components (`IndexDefinition.undated_inputs`)."""
    inner = [undated_inputs(definitions[each.index], definitions) for each in definition.components]
    return tuple(dict.fromkeys([*definition.undated_inputs, *(column for columns in inner for column in columns)]))


def _effective_at(rebalance: Rebalance) -> dt.datetime:
    return rebalance.effective_at
