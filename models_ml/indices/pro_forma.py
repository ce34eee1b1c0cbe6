"""What an index will hold at its next effective time, as far as it is known now.

- `decided`: a rebalance that was made on Monday and has yet to take effect. It is final.
- `unchanged`: a model-driven index decided on Monday not to trade, or had no new target. It keeps its basket, whose weights drift.
- `indicative`: a rule index as it would be composed if it were rebalanced at the newest close; what it will be follows from the
  close at its effective time.
- `follows`: an index of indices trades what its components trade; their own pro-formas say it, here is what it holds.
- `none`: there is no basket, and none could be composed; `note` says why.

Belongs here: asking the engine's own decision for it. Does not: publishing it (`orchestration/lib/index_kit.py`).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models_ml.indices import reasons
from models_ml.indices.decision import decide
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.levels import basket_at
from models_ml.indices.market import MarketData
from models_ml.indices.schedule import trades_before_base
from models_ml.indices.state import ONE_DAY, Holding, IndexState, Target, midnight
from models_ml.indices.timetable import Timing, next_timing

Status = Literal["decided", "unchanged", "indicative", "follows", "none"]


@dataclass(frozen=True)
class ProForma:
    """The next basket of one index.

    Attributes:
        index_id: The index.
        status: How sure it is (see the module).
        timing: When it is determined, announced and effective.
        targets: One target a token, those that leave with weight 0; weights sum to 1, or there is none.
        held: Weights now by token_id, at as_of.
        note: What a reader should know, or None.
    """

    index_id: str
    status: Status
    timing: Timing
    targets: tuple[Target, ...]
    held: dict[str, float]
    note: str | None = None


def pro_forma(definition: IndexDefinition, state: IndexState, week: dt.date, data: MarketData) -> ProForma:
    """The next basket, from the state after a week and that week's closes.

    Args:
        definition: The index.
        state: Its state after `week`.
        week: The Monday that ends the week, as_of 00:00 UTC.
        data: The market; nothing after `week` - 1 is asked for.
    """
    as_of, last_day = midnight(week), week - ONE_DAY
    held = _held(state, as_of, data)
    now = {holding.token_id: holding.weight for holding in held}
    timing = next_timing(definition, as_of)
    if pending := state.pending(as_of):
        return ProForma(definition.index_id, "decided", timing, pending[0].targets, now)
    if definition.components:
        return _kept(definition, "follows", timing, held, "stays unless a component trades it")
    if definition.is_model_driven:
        return _kept(definition, "unchanged", timing, held, "stays: no trade was decided")
    if not state.is_started and trades_before_base(definition, week):
        return ProForma(definition.index_id, "none", timing, (), now, f"starts at the close of {definition.base.date}")
    decision = decide(
        definition,
        data,
        snapshot_day=last_day,
        effective_at=timing.effective_at,
        held=held,
        stance=state.stance,
        is_review=timing.is_review,
        left_out=_left_out(state),
    )
    if decision.rebalance is None:
        return ProForma(definition.index_id, "none", timing, (), now, decision.failure or decision.note)
    return ProForma(definition.index_id, "indicative", timing, decision.rebalance.targets, now, decision.note)


def _kept(
    definition: IndexDefinition, status: Status, timing: Timing, held: Sequence[Holding], reason: str
) -> ProForma:
    """What is held now; nothing where nothing is."""
    now = {holding.token_id: holding.weight for holding in held}
    if not held:
        return ProForma(definition.index_id, "none", timing, (), now, "it holds nothing, and no rebalance was decided")
    keeps = tuple(Target(holding.token_id, holding.symbol, holding.weight, reason) for holding in held)
    return ProForma(definition.index_id, status, timing, keeps, now)


def _left_out(state: IndexState) -> list[Target]:
    """What the newest rebalance chose and left out as the worst, as the engine hands it on."""
    return [
        target
        for rebalance in state.rebalances[-1:]
        for target in rebalance.targets
        if target.weight == 0 and reasons.is_left_out(target.reason)
    ]


def _held(state: IndexState, as_of: dt.datetime, data: MarketData) -> list[Holding]:
    """Holdings at the close that ends at as_of."""
    basket = basket_at(state.applied(as_of), prices=data.lookup)
    if basket is None:
        return []
    last_day = as_of.date() - ONE_DAY
    close = basket.closes(data.lookup, last_day, last_day)[0]
    return [
        Holding(target.token_id, target.symbol, weight, reasons.is_rotation(target.reason))
        for target, weight in zip(basket.holdings, close.weights, strict=True)
    ]
