"""The weekly fold: from the state of an index and one week of market data to that week's rows and the next state.

Belongs here: `advance`, which ties schedule, decisions and levels together, and what makes a week `unavailable`.
Does not: the parts themselves (`schedule.py`, `decision.py`, `levels.py`, `state.py`), storing rows (`orchestration`).

Treatments, stated because a reader of a level must know them:
- Price return; no fees. A rebalance trades at the close it takes effect at; old and new basket are worth the same then.
- A constituent that stops trading keeps its last price until the next rebalance and leaves at that price.
- A rule index that finds too few constituents, or no weights inside its limits, is unavailable until a Monday or month
  on which it finds them; its level then continues from what the old basket has come to. A model-driven index without a
  new target keeps its basket.
- An index of indices trades what its components trade, at the same closes, and is unavailable where one of them is.
- An index that parks empty places in stablecoins runs with any number of constituents, none among them; it has no new
  target only where too few tokens could be judged or no stablecoin keeps its peg.
- A week in which a close has less than 90 % of the weight priced is unavailable as a whole; the level continues after.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.components import Components
from models_ml.indices.decision import Decision, decide, leave_fallen_stables
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import StateError
from models_ml.indices.levels import Basket, Close, basket_at
from models_ml.indices.market import STALE_AFTER_DAYS, MarketData
from models_ml.indices.rotation import is_held_on, wanted_share
from models_ml.indices.schedule import ONE_WEEK, missed_rebalance, rule_occasions, trades_before_base
from models_ml.indices.sections import Rotation
from models_ml.indices.state import (
    COMPOSITION_SCHEMA,
    LEVEL_SCHEMA,
    ONE_DAY,
    REBALANCE_SCHEMA,
    SAME_SHARE,
    Holding,
    IndexState,
    Rebalance,
    RebalanceRow,
    Target,
    midnight,
    rebalance_rows,
)

LevelRow = tuple[dt.date, str, float]  # in the order of LEVEL_SCHEMA
CompositionRow = tuple[dt.date, str, str, str, float, float, str]  # in the order of COMPOSITION_SCHEMA

MIN_PRICED_WEIGHT = 0.9
ROUNDING = 1e-12


@dataclass(frozen=True)
class WeekResult:
    """What an index publishes for one week.

    Attributes:
        index_id: The index.
        as_of_week: The Monday that ends the week.
        status: `unavailable` weeks have no levels and no composition, though they may have rebalances.
        reason: Why it is unavailable; where it is available a remark, or None.
        rebalance_rows: Those that took effect in the week (rule indices) or were decided at its end (model-driven).
        level_rows: One per close, seven once the index runs.
        composition_rows: Holdings at as_of, weights summing to 1.
        state: What the next week needs.

    Rows are plain and in the order of their schema: a fold has thousands of weeks, and its caller makes one table of many.
    """

    index_id: str
    as_of_week: dt.date
    status: Literal["available", "unavailable"]
    reason: str | None
    rebalance_rows: Sequence[RebalanceRow]
    level_rows: Sequence[LevelRow]
    composition_rows: Sequence[CompositionRow]
    state: IndexState

    @cached_property
    def rebalances(self) -> pl.DataFrame:
        """`rebalance_rows` as a frame (`REBALANCE_SCHEMA`)."""
        return pl.DataFrame(self.rebalance_rows, schema=REBALANCE_SCHEMA, orient="row")

    @cached_property
    def levels(self) -> pl.DataFrame:
        """`level_rows` as a frame (`LEVEL_SCHEMA`)."""
        return pl.DataFrame(self.level_rows, schema=LEVEL_SCHEMA, orient="row")

    @cached_property
    def compositions(self) -> pl.DataFrame:
        """`composition_rows` as a frame (`COMPOSITION_SCHEMA`)."""
        return pl.DataFrame(self.composition_rows, schema=COMPOSITION_SCHEMA, orient="row")


def advance(
    definition: IndexDefinition,
    state: IndexState,
    week: dt.date,
    data: MarketData,
    components: Components | None = None,
) -> WeekResult:
    """Carry an index through the closes of market_date `week` - 7 to `week` - 1.

    Args:
        definition: The index.
        state: State after the week before (`new_state`, the last result's, or `state_from_rows`).
        week: The Monday that ends the week, as_of 00:00 UTC.
        data: The market; nothing after `week` - 1 is asked for.
        components: What the components of an index of indices have published, the week included.

    Raises:
        StateError: `week` is no Monday, or the state belongs to another index or already covers the week, or an index of
            indices comes without its components.
        MarketDataError: A snapshot lacks columns or repeats a token.
    """
    _check(definition, state, week)
    walk = _Walk(definition, state, week, data)
    if definition.components:
        walk.follow(_given(components, definition))
    elif definition.is_model_driven:
        walk.trade_pending()
        walk.decide_next()
    else:
        walk.trade_by_rule()
    return walk.result()


def fold(
    definition: IndexDefinition,
    state: IndexState,
    weeks: Iterable[dt.date],
    data: MarketData,
    components: Components | None = None,
) -> Iterator[WeekResult]:
    """Advance week by week, oldest first, handing the state on; `components` as in `advance`, of all the weeks."""
    for week in weeks:
        result = advance(definition, state, week, data, components)
        state = result.state
        yield result


@dataclass
class _Walk:
    """One week in the making: the basket in force moves from close to close, and notes gather."""

    definition: IndexDefinition
    state: IndexState
    week: dt.date
    data: MarketData
    closes: list[Close] = field(default_factory=list)  # to be published
    made: list[Rebalance] = field(default_factory=list)  # in force within the week, or decided at its end
    traded: Rebalance | None = None  # the newest in force within the week
    newest: tuple[Basket, Close] | None = None  # the last close at which a basket was valued
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take up the basket where the week before left it."""
        start = midnight(self.week - ONE_WEEK)
        self.cursor = start.date()  # the next close to value
        self.basket: Basket | None = basket_at(self.state.applied(start), prices=self.data.lookup)
        self.stance = self.state.stance
        missed = missed_rebalance(self.definition, self.state, self.week)
        self.suspension: str | None = None
        if missed is not None:
            or_weights = ", or no weights inside its limits" if self.definition.weighting.may_be_refused else ""
            self.suspension = (
                f"no valid basket since the rebalance of {missed.date()}, "
                f"which found fewer than {self.definition.minimum_constituents} eligible constituents{or_weights}"
            )

    @property
    def last_day(self) -> dt.date:
        return self.week - ONE_DAY

    @property
    def newest_snapshot(self) -> dt.date:
        """The Sunday before the week, whose candidates stand for the week's days until its own Sunday."""
        return self.week - ONE_WEEK - ONE_DAY

    def trade_by_rule(self) -> None:
        """Decide and trade at each instant of the calendar, on Monday also where there is no valid basket."""
        for occasion in rule_occasions(self.definition, self.state, self.week):
            if occasion.is_retry and self.basket is not None and self.suspension is None:
                continue
            close_date = occasion.effective_at.date() - ONE_DAY
            close = self._value_until(close_date)
            decision = decide(
                self.definition,
                self.data,
                snapshot_day=close_date,
                effective_at=occasion.effective_at,
                held=self._held(close),
                stance=self.stance,
                is_review=occasion.is_review,
                left_out=self._left_out(),
            )
            self._note(decision)
            if decision.rebalance is not None:
                self.made.append(decision.rebalance)
                self._trade(decision.rebalance, close)
            elif self.suspension is None:
                self.suspension = decision.failure
                if self.basket is not None:  # a Monday's retry may end the suspension, but the week has lost days
                    self.failures.append(f"rebalance of {occasion.effective_at.date()}: {decision.failure}")
        self._value_until(self.last_day)

    def trade_pending(self) -> None:
        """Trade what was decided on the Monday before, then value the rest of the week and leave stablecoins that lose their peg."""
        for rebalance in self.state.pending(midnight(self.week - ONE_WEEK)):
            self._trade(rebalance, self._value_until(rebalance.close_date))
        self._watch_market()
        self._value_until(self.last_day)

    def _watch_market(self) -> None:
        """Trade in the middle of the week, a day after the close that asks for it; the week's last close is `decide_next`'s to judge."""
        rotation = self.definition.parking
        day = self.week - ONE_WEEK
        is_stuck = False
        while rotation is not None and self.basket is not None and day < self.last_day:
            if not self._turn_with_market(rotation, day) and not is_stuck:
                is_stuck = not self._leave_fallen_stables(rotation, day)
            day += ONE_DAY

    def _turn_with_market(self, rotation: Rotation, day: dt.date) -> bool:
        """Decide anew where BTC's close asks for another share in stables than is held; whether that was traded."""
        effective_at = midnight(day + 2 * ONE_DAY)
        if rotation.trigger == "weekly" or is_held_on(rotation, self.stance, effective_at):
            return False
        share, _ = wanted_share(rotation, self.data.market_state(day))
        if abs(share - self.stance.share) <= SAME_SHARE:
            return False
        close = self._value_until(day + ONE_DAY)
        decision = decide(
            self.definition,
            self.data,
            snapshot_day=self.newest_snapshot,
            market_day=day,
            effective_at=effective_at,
            held=self._held(close),
            stance=self.stance,
        )
        if decision.failure is not None:
            self.notes.append(f"no turn on {day}, holdings stay: {decision.failure}")
        return self._take_up(decision, close)

    def _leave_fallen_stables(self, rotation: Rotation, day: dt.date) -> bool:
        """Trade out of held stablecoins that closed below the limit; False where no other keeps its peg."""
        basket = self.basket
        parked = [target.token_id for target in basket.holdings if reasons.is_rotation(target.reason)] if basket else []
        if not parked:
            return True
        closes = self.data.lookup.block(parked, day, day).prices_usd[0]
        fallen = [token_id for token_id, price in zip(parked, closes, strict=True) if price < rotation.leave_below_usd]
        if not fallen:
            return True
        close = self._value_until(day + ONE_DAY)
        decision = leave_fallen_stables(
            self.definition,
            self.data,
            snapshot_day=self.newest_snapshot,
            fallen_on=day,
            effective_at=midnight(day + 2 * ONE_DAY),
            held=self._held(close),
            fallen=fallen,
        )
        return self._take_up(decision, close)

    def _take_up(self, decision: Decision, close: Close | None) -> bool:
        """Trade what was decided, if anything; whether it was."""
        self._note(decision)
        if decision.rebalance is None:
            return False
        self.made.append(decision.rebalance)
        self._trade(decision.rebalance, close)
        return True

    def decide_next(self) -> None:
        """Set the target that trades one day after as_of; without one the basket stays."""
        if trades_before_base(self.definition, self.week):
            return
        decision = decide(
            self.definition,
            self.data,
            snapshot_day=self.last_day,
            effective_at=midnight(self.week + ONE_DAY),
            held=self._held(self._close_at_end()),
            stance=self.stance,
        )
        self._note(decision)
        if decision.rebalance is not None:
            self.made.append(decision.rebalance)
        if decision.failure is not None and self.basket is not None:
            self.notes.append(f"no new target, holdings stay: {decision.failure}")
        elif decision.failure is not None:
            self.suspension = decision.failure

    def follow(self, components: Components) -> None:
        """Trade what the components trade, at the same closes, and set their weights back at the calendar's instants."""
        for look in components.look_throughs(self.week, is_started=self.state.is_started):
            close = self._value_until(look.effective_at.date() - ONE_DAY)
            rebalance = look.rebalance({holding.token_id: holding.symbol for holding in self._held(close)})
            self.made.append(rebalance)
            self._trade(rebalance, close)
        self._value_until(self.last_day)
        self.closes = [close for close in self.closes if components.have_levels(close.day)]
        why = components.why_unavailable(self.week)
        if why is not None:
            self.failures.append(why)
        elif self.basket is None:
            starts = components.next_occasion(midnight(self.week))
            self.suspension = f"starts at {starts.date()} 00:00 UTC, if all components have levels then"

    def result(self) -> WeekResult:
        """The week's rows and the state after it."""
        if not self.definition.components:  # whose levels say the same of each of them
            self._find_unpriced()
        reason = self._why_unavailable()
        is_available = reason is None
        levels = {close.day: close.level for close in self.closes} if is_available else {}
        rows = self._composition_rows() if is_available else []
        return WeekResult(
            index_id=self.definition.index_id,
            as_of_week=self.week,
            status="available" if is_available else "unavailable",
            reason=reason or "; ".join(self.notes) or None,
            rebalance_rows=rebalance_rows(self.definition.index_id, self.made),
            level_rows=[(day, self.definition.index_id, level) for day, level in levels.items()],
            composition_rows=rows,
            state=self.state.advanced(
                self.definition,
                rebalances=self.made,
                levels=levels,
                composition={row[2]: row[4] for row in rows} if is_available else None,
            ),
        )

    def _value_until(self, day: dt.date) -> Close | None:
        """Value the basket at every close up to `day` and return that of `day`; closes count unless suspended."""
        if self.basket is None:
            self.cursor = max(self.cursor, day + ONE_DAY)
            return None
        closes = self.basket.closes(self.data.lookup, self.cursor, day)
        if self.suspension is None:
            self.closes.extend(closes)
        self.cursor = max(self.cursor, day + ONE_DAY)
        close = closes[-1] if closes else self.basket.closes(self.data.lookup, day, day)[0]
        self.newest = (self.basket, close)
        return close

    def _trade(self, rebalance: Rebalance, close: Close | None) -> None:
        """Swap baskets at a close, at the level of the old one; an index that starts or resumes publishes from here."""
        level = close.level if close is not None else self.definition.base.level
        is_resumed = close is None or self.suspension is not None
        self.basket = Basket.bought(rebalance, level=level, prices=self.data.lookup)
        self.stance = self.stance.after(rebalance)
        self.traded = rebalance
        if is_resumed:
            after = self.basket.closes(self.data.lookup, rebalance.close_date, rebalance.close_date)[0]
            self.closes.append(replace(after, level=level))
        if self.suspension is not None and close is not None:
            self.notes.append(f"resumed at {rebalance.effective_at.date()} from the level of the basket held before")
        self.suspension = None

    def _held(self, close: Close | None) -> list[Holding]:
        if self.basket is None or close is None:
            return []
        return [
            Holding(target.token_id, target.symbol, weight, reasons.is_rotation(target.reason))
            for target, weight in zip(self.basket.holdings, close.weights, strict=True)
        ]

    def _left_out(self) -> list[Target]:
        """What the newest rebalance chose and left out as the worst."""
        newest = [*self.state.rebalances, *self.made][-1:]
        return [
            target
            for rebalance in newest
            for target in rebalance.targets
            if target.weight == 0 and reasons.is_left_out(target.reason)
        ]

    def _close_at_end(self) -> Close | None:
        if self.basket is None:
            return None
        basket, close = self.newest if self.newest is not None else (None, None)
        if close is None or basket is not self.basket or close.day != self.last_day:
            close = self.basket.closes(self.data.lookup, self.last_day, self.last_day)[0]
            self.newest = (self.basket, close)
        return close

    def _note(self, decision: Decision) -> None:
        if decision.note is not None:
            self.notes.append(decision.note)

    def _find_unpriced(self) -> None:
        """Note the first close at which too little of the weight has a recent price."""
        for close in self.closes:
            if close.priced_weight < MIN_PRICED_WEIGHT - ROUNDING:
                self.failures.append(
                    f"only {reasons.percent(close.priced_weight)} of the weight has a price of the last "
                    f"{STALE_AFTER_DAYS} days at the close of {close.day}, {reasons.percent(MIN_PRICED_WEIGHT)} needed"
                )
                return

    def _why_unavailable(self) -> str | None:
        if self.suspension is not None and not self.failures:
            return self.suspension
        if self.failures:
            return "; ".join(self.failures)
        if self.basket is None and self.made:
            return f"starts at {self.made[-1].effective_at.date()} 00:00 UTC"
        if self.basket is None:
            return f"starts at the close of {self.definition.base.date}"
        return None

    def _composition_rows(self) -> list[CompositionRow]:
        """Holdings at as_of, largest first."""
        close, basket = self._close_at_end(), self.basket
        if close is None or basket is None:
            return []
        rows = [
            (
                self.week,
                self.definition.index_id,
                target.token_id,
                target.symbol,
                weight,
                weight - self.state.composition.get(target.token_id, 0.0),
                self._composition_reason(target, priced_on),
            )
            for target, weight, priced_on in zip(basket.holdings, close.weights, close.priced_on, strict=True)
        ]
        return sorted(rows, key=lambda row: (-row[4], row[2]))

    def _composition_reason(self, target: Target, priced_on: dt.date | None) -> str:
        if self.traded is not None:
            return target.reason
        effective_at = self.basket.effective_at if self.basket is not None else midnight(self.week)
        return reasons.held_since(effective_at, reason=target.reason, priced_on=priced_on, close_date=self.last_day)


def _given(components: Components | None, definition: IndexDefinition) -> Components:
    if components is None or components.definition != definition:
        raise StateError(f"{definition.index_id} holds other indices; pass what these have published (components)")
    return components


def _check(definition: IndexDefinition, state: IndexState, week: dt.date) -> None:
    if week.weekday() != 0:
        raise StateError(f"{definition.index_id}: {week} is no Monday; weeks are keyed by the Monday that ends them")
    if state.index_id != definition.index_id:
        raise StateError(f"the state of {state.index_id} was handed to {definition.index_id}; pass its own")
    first = week - ONE_WEEK
    covered = state.last_level[0] if state.last_level is not None else None
    if covered is not None and covered >= first:
        raise StateError(
            f"{definition.index_id}: levels are published up to {covered}, so the week of {week} is already covered; "
            "rebuild the state with as_of_week to reproduce it"
        )
