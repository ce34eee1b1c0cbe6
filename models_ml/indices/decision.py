"""One rebalance: from a day's snapshot to target weights, with a reason for each token.

Belongs here: putting selection, weighting and rotation together, and whether the result is worth trading.
Does not: when decisions fall due and take effect (`schedule.py`, `engine.py`).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.market import STALE_AFTER_DAYS, MarketData
from models_ml.indices.member_count import aic_count
from models_ml.indices.rotation import Refuge, parking_basket, refuge
from models_ml.indices.selection import Ranked, choose, rank_candidates
from models_ml.indices.state import SAME_SHARE, Rebalance, Stance, Target
from models_ml.indices.weighting import weigh


@dataclass(frozen=True)
class Holding:
    """One token as held when the decision is made."""

    token_id: str
    symbol: str
    weight: float
    is_rotation: bool


@dataclass(frozen=True)
class Decision:
    """Outcome of a decision.

    `rebalance` is None where nothing is traded: because targets could not be set (`failure` says why) or because they
    are close enough to what is held (`failure` is None). `note` tells what a reader should know either way.
    """

    rebalance: Rebalance | None = None
    failure: str | None = None
    note: str | None = None


def decide(
    definition: IndexDefinition,
    data: MarketData,
    *,
    snapshot_day: dt.date,
    effective_at: dt.datetime,
    held: Sequence[Holding],
    stance: Stance,
    is_review: bool = True,
) -> Decision:
    """Set target weights from what was known at the close of `snapshot_day`.

    Args:
        definition: The index.
        data: The market; only `snapshot_day` and earlier are asked for.
        snapshot_day: The day whose close the decision rests on.
        effective_at: When the targets take effect.
        held: Holdings at that close, empty at the base.
        stance: What the rotation holds, and since when.
        is_review: Whether members are chosen anew. Between reviews those held are weighted anew, unless fewer than the minimum are left.
    """
    snapshot = data.snapshot(snapshot_day, half_life_days=definition.market_cap_half_life_days)
    ranked = rank_candidates(definition, snapshot, close_date=snapshot_day, prices=data.lookup)
    members = _members(definition, ranked, held=held, data=data, day=snapshot_day, is_review=is_review)
    if members.height < definition.minimum_constituents:
        failure = reasons.too_few(
            found=ranked.eligible.height, needed=definition.minimum_constituents, day=snapshot_day
        )
        return Decision(failure=failure)
    to_stable = Refuge()
    if definition.rotation is not None:
        to_stable = refuge(
            definition,
            snapshot,
            market=data.market_state(snapshot_day),
            stance=stance,
            effective_at=effective_at,
            close_date=snapshot_day,
            prices=data.lookup,
        )
    targets = [
        *_member_targets(
            definition, members, held=held, ranked=ranked, to_stable=to_stable, data=data, day=snapshot_day
        ),
        *_stable_targets(held, to_stable=to_stable),
    ]
    is_share_new = abs(to_stable.share - stance.share) > SAME_SHARE
    is_worthwhile = is_share_new or is_worth_trading(definition, held=held, targets=targets)
    if definition.is_model_driven and not is_worthwhile:
        return Decision(note=to_stable.note)
    ordered = tuple(sorted(targets, key=lambda target: target.token_id))
    return Decision(Rebalance(effective_at, ordered), note=to_stable.note)


def _members(
    definition: IndexDefinition,
    ranked: Ranked,
    *,
    held: Sequence[Holding],
    data: MarketData,
    day: dt.date,
    is_review: bool,
) -> pl.DataFrame:
    before = {holding.token_id for holding in held if not holding.is_rotation}
    if not is_review:
        kept = ranked.still_held(before)
        if kept.height >= definition.minimum_constituents:
            return kept
    selection = definition.selection
    if selection.count_rule == "aic":
        count = aic_count(ranked.eligible, day=day, prices=data.lookup, most=selection.count)
        selection = selection.model_copy(update={"count": count})
    return choose(ranked.eligible, held=before, selection=selection)


def is_worth_trading(definition: IndexDefinition, *, held: Iterable[Holding], targets: Iterable[Target]) -> bool:
    """Whether a model-driven index whose share in stables stays trades towards new targets.

    It does when it starts, when a token enters or leaves or when a weight is further from its target than the band,
    and always under `calendar.retrade: every_week`. Scores move weights every week without telling much, so following
    each change would buy turnover rather than return.
    """
    before = {holding.token_id: holding.weight for holding in held}
    after = {target.token_id: target.weight for target in targets if target.weight > 0}
    if definition.calendar.retrade == "every_week" or before.keys() != after.keys():
        return True
    return any(abs(after[token_id] - before[token_id]) > definition.calendar.retrade_band for token_id in after)


def _member_targets(
    definition: IndexDefinition,
    members: pl.DataFrame,
    *,
    held: Sequence[Holding],
    ranked: Ranked,
    to_stable: Refuge,
    data: MarketData,
    day: dt.date,
) -> list[Target]:
    """Targets of constituents, and zero weights for those that leave."""
    shares, weights = weigh(members, definition.weighting)
    invested = 1.0 - to_stable.share
    if invested <= SAME_SHARE:
        members, shares, weights = members.clear(), shares.clear(), weights.clear()
    names = dict(members.select("token_id", "symbol").iter_rows())
    before = {holding.token_id: holding for holding in held if not holding.is_rotation}
    ranks = dict(ranked.eligible.select("token_id", "rank").iter_rows())
    leavers = sorted(
        (holding for holding in before.values() if holding.token_id not in names),
        key=lambda holding: (ranks.get(holding.token_id, len(ranks) + 1), holding.token_id),
    )
    entrants = [token_id for token_id in names if token_id not in before]
    # Paired in order, only to tell a story: the best newcomer stands for the best that left.
    pairs = list(zip(entrants, leavers, strict=False))
    replaces = {token_id: holding.symbol for token_id, holding in pairs}
    replaced_by = {holding.token_id: names[token_id] for token_id, holding in pairs}
    targets = []
    for token_id, share, weight in zip(names, shares, weights, strict=True):
        rank = ranks.get(token_id)
        clauses = [
            reasons.stays(rank=rank, count=definition.selection.count)
            if token_id in before or rank is None
            else reasons.entered(rank=rank, is_base=not held, replaces=replaces.get(token_id)),
            reasons.limited(before=share, after=weight, cap=definition.weighting.cap, floor=definition.weighting.floor),
            f"{reasons.percent(invested)} of it invested" if to_stable.share else None,
        ]
        targets.append(Target(token_id, names[token_id], weight * invested, "; ".join(filter(None, clauses))))
    for holding in leavers:
        why = (
            reasons.ROTATED
            if invested <= SAME_SHARE
            else _why_left(definition, holding.token_id, ranks=ranks, ranked=ranked, data=data, day=day)
        )
        reason = reasons.left(why=why, replaced_by=replaced_by.get(holding.token_id))
        targets.append(Target(holding.token_id, holding.symbol, 0.0, reason))
    return targets


def _stable_targets(held: Iterable[Holding], *, to_stable: Refuge) -> list[Target]:
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


def leave_fallen_stables(
    definition: IndexDefinition,
    data: MarketData,
    *,
    snapshot_day: dt.date,
    fallen_on: dt.date,
    effective_at: dt.datetime,
    held: Sequence[Holding],
    fallen: Collection[str],
) -> Decision:
    """Move the weight of stablecoins that lost their peg into others, all else left as it is.

    Args:
        definition: An index with a rotation.
        data: The market.
        snapshot_day: Newest day with a snapshot; pegs are judged at `fallen_on`.
        fallen_on: The close at which a held stablecoin was below the limit.
        effective_at: When the trade takes effect, one day after that close.
        held: Holdings at the close that prices the trade.
        fallen: token_ids of the stablecoins to leave.
    """
    basket = parking_basket(
        definition, data.snapshot(snapshot_day), close_date=fallen_on, prices=data.lookup, avoid=fallen
    )
    if not basket:
        return Decision(note=f"a held stablecoin lost its peg on {fallen_on}, and no other keeps its own")
    moved = sum(holding.weight for holding in held if holding.token_id in fallen)
    names = " and ".join(stable.symbol for stable in basket)
    lost = " and ".join(
        f"{holding.symbol} closed at {data.lookup.block([holding.token_id], fallen_on, fallen_on).prices_usd[0, 0]:.4f} USD on {fallen_on}"
        for holding in held
        if holding.token_id in fallen
    )
    bought = {stable.token_id: stable for stable in basket}
    stays = {holding.token_id: holding.weight for holding in held if holding.token_id not in fallen}
    share = sum(holding.weight for holding in held if holding.is_rotation)
    targets = [
        Target(holding.token_id, holding.symbol, holding.weight, "stays, weight as it was")
        for holding in held
        if not holding.is_rotation
    ]
    targets += [
        Target(holding.token_id, holding.symbol, 0.0, reasons.left(why=lost, replaced_by=names))
        for holding in held
        if holding.token_id in fallen
    ]
    others = {holding.token_id: holding.symbol for holding in held if holding.is_rotation and holding.token_id in stays}
    for token_id in sorted(bought.keys() | others.keys()):
        weight = stays.get(token_id, 0.0) + (moved * bought[token_id].share if token_id in bought else 0.0)
        symbol = bought[token_id].symbol if token_id in bought else others[token_id]
        targets.append(Target(token_id, symbol, weight, reasons.rotated(share=share, because=lost)))
    return Decision(Rebalance(effective_at, tuple(sorted(targets, key=lambda target: target.token_id))))


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
    rows = ranked.excluded.filter(pl.col("token_id") == token_id).rows(named=True)
    if rows:
        return reasons.ineligible(rows[0]["exclusion"], rows[0], definition)
    return reasons.no_price(newest) if newest < day else f"not among the candidates of {day}"
