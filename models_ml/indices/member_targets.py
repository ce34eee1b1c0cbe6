"""Targets of one rebalance: a weight and a reason for each token that stays, enters or leaves, stablecoins among them.

Belongs here: why each token is held or left, in the order a reader asks. Does not: the wording itself (`reasons.py`), weights
(`member_weights.py`), the choice of constituents (`decision.py`) and of stablecoins (`rotation.py`).
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import STALE_AFTER_DAYS, MarketData
from models_ml.indices.member_weights import MemberWeights
from models_ml.indices.rotation import Refuge
from models_ml.indices.selection import Ranked
from models_ml.indices.state import SAME_SHARE, Holding, Target


@dataclass(frozen=True)
class Chosen:
    """Snapshot rows of the tokens to hold, and (token_id, symbol, why) of those that were chosen and left out as the worst.

    `why` is None for a token left out at a review before.
    """

    held: pl.DataFrame
    left_out: Sequence[tuple[str, str, str | None]] = ()


def filled_places(definition: IndexDefinition, members: pl.DataFrame) -> float:
    """Fraction of the places that constituents fill; 1 for an index that shares empty ones out."""
    return members.height / definition.selection.count if definition.parks_empty_places else 1.0


def member_targets(
    definition: IndexDefinition,
    chosen: Chosen,
    weights: MemberWeights,
    *,
    held: Sequence[Holding],
    ranked: Ranked,
    to_stable: Refuge,
    data: MarketData,
    day: dt.date,
) -> list[Target]:
    """Targets of constituents, and of those that leave: zero, unless the turnover limit lets them go only in part.

    Tokens left out as the worst have a target of zero, too, whether or not they were held.
    """
    invested = 1.0 - to_stable.share
    members = chosen.held
    names = dict(zip(members["token_id"].to_list(), members["symbol"].to_list(), strict=True))
    before = {holding.token_id: holding for holding in held if not holding.is_rotation}
    worst = {token_id: why for token_id, _, why in chosen.left_out}
    ranks = ranked.ranks
    leavers = sorted(
        (holding for holding in before.values() if holding.token_id not in names),
        key=lambda holding: (ranks.get(holding.token_id, len(ranks) + 1), holding.token_id),
    )
    core = definition.weighting.core_weights
    entrants = [token_id for token_id in names if token_id not in before and token_id not in core]
    # Paired in order, only to tell a story: the best newcomer stands for the best that left. Where places are empty it had its own.
    unscreened = (each for each in leavers if each.token_id not in worst)
    pairs = [] if filled_places(definition, members) < 1 else list(zip(entrants, unscreened, strict=False))
    replaces = {token_id: holding.symbol for token_id, holding in pairs}
    replaced_by = {holding.token_id: names[token_id] for token_id, holding in pairs}
    targets = []
    for token_id in names:
        rank = ranks.get(token_id)
        clauses = [
            reasons.core(core[token_id])
            if token_id in core
            else reasons.stays(rank=rank, count=definition.selection.count)
            if token_id in before or rank is None
            else reasons.entered(rank=rank, is_base=not held, replaces=replaces.get(token_id)),
            weights.clauses[token_id],
            _turnover_clause(definition, weights, token_id),
            _invested_clause(definition, len(names), to_stable),
        ]
        weight = weights.reached[token_id] * invested
        targets.append(Target(token_id, names[token_id], weight, "; ".join(filter(None, clauses))))
    for holding in leavers:
        why = (
            reasons.ROTATED
            if to_stable.rotated >= 1 - SAME_SHARE
            else worst.get(holding.token_id)
            or _why_left(definition, holding.token_id, ranks=ranks, ranked=ranked, data=data, day=day)
        )
        rest = weights.reached.get(holding.token_id, 0.0) if invested > SAME_SHARE else 0.0
        if rest > 0:
            reason = reasons.leaves_in_part(
                before=weights.before[holding.token_id],
                after=rest,
                why=why,
                max_turnover=definition.weighting.max_turnover or 1.0,
            )
        elif holding.token_id in worst and invested > SAME_SHARE:
            reason = reasons.left_out(why=why)
        else:
            reason = reasons.left(why=why, replaced_by=replaced_by.get(holding.token_id))
        targets.append(Target(holding.token_id, holding.symbol, rest * invested, reason))
    targets += [
        Target(token_id, symbol, 0.0, reasons.left_out(why=why))
        for token_id, symbol, why in chosen.left_out
        if token_id not in before
    ]
    return targets


def _invested_clause(definition: IndexDefinition, filled: int, to_stable: Refuge) -> str | None:
    count = definition.selection.count
    clauses = [
        f"{reasons.percent(1 - to_stable.rotated)} of it invested" if to_stable.rotated else None,
        reasons.some_filled(filled=filled, count=count) if to_stable.share > to_stable.rotated + SAME_SHARE else None,
    ]
    return "; ".join(filter(None, clauses)) or None


def _turnover_clause(definition: IndexDefinition, weights: MemberWeights, token_id: str) -> str | None:
    limit = definition.weighting.max_turnover
    if limit is None:
        return None
    return reasons.moved_in_part(
        before=weights.before.get(token_id, 0.0),
        wanted=weights.wanted[token_id],
        after=weights.reached[token_id],
        max_turnover=limit,
    )


def stable_targets(held: Iterable[Holding], *, to_stable: Refuge) -> list[Target]:
    """The stablecoins that the rotation buys, and zero weight for those that it no longer holds."""
    targets = []
    for stable in to_stable.stables:
        weight = to_stable.share * stable.share
        reason = reasons.rotated(share=to_stable.share, because=to_stable.because)
        targets.append(Target(stable.token_id, stable.symbol, weight, reason))
    kept = {stable.token_id for stable in to_stable.stables}
    names = " and ".join(stable.symbol for stable in to_stable.stables) or None
    for holding in held:
        if holding.is_rotation and holding.token_id not in kept:
            reason = (
                reasons.left(why="no longer among the largest stablecoins at their peg", replaced_by=names)
                if kept
                else reasons.left(why=to_stable.note or "rotated back out of stables", replaced_by=None)
            )
            targets.append(Target(holding.token_id, holding.symbol, 0.0, reason))
    return targets


def _why_left(
    definition: IndexDefinition,
    token_id: str,
    *,
    ranks: Mapping[str, int],
    ranked: Ranked,
    data: MarketData,
    day: dt.date,
) -> str:
    newest = data.lookup.last_priced(token_id, day)
    if newest is None or (day - newest).days > STALE_AFTER_DAYS:
        return reasons.no_price(newest)
    if token_id in ranks:
        return f"(rank {ranks[token_id]})"
    row = ranked.excluded_row(token_id)
    if row is not None:
        return reasons.ineligible(row["exclusion"], row, definition)
    return reasons.no_price(newest) if newest < day else f"not among the candidates of {day}"
