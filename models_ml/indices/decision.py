"""One rebalance: from a day's snapshot to target weights, with a reason for each token.

Belongs here: putting selection, weighting and rotation together, and whether the result is worth trading.
Does not: weights within their limits (`member_weights.py`), the reason of each token (`member_targets.py`), when decisions fall due and
take effect (`schedule.py`, `engine.py`).
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import InfeasibleCapError, OptimiserError
from models_ml.indices.market import MarketData
from models_ml.indices.member_count import aic_count
from models_ml.indices.member_targets import Chosen, filled_places, member_targets, stable_targets
from models_ml.indices.member_weights import priced_tokens, weigh_members
from models_ml.indices.rotation import Refuge, parking_basket, refuge
from models_ml.indices.selection import Ranked, rank_candidates, worst_of
from models_ml.indices.state import SAME_SHARE, Holding, Rebalance, Stance, Target
from models_ml.indices.tilting import has_tilt


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
    market_day: dt.date | None = None,
    left_out: Sequence[Target] = (),
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
        market_day: A later close that the rotation rests on, None for `snapshot_day`.
        left_out: Tokens that the rebalance before chose and left out as the worst; to the exit buffer they count as constituents, so
            that a screened index chooses from the members of its twin.
    """
    market_day = market_day or snapshot_day
    snapshot = data.snapshot(snapshot_day, half_life_days=definition.market_cap_half_life_days)
    ranked = rank_candidates(definition, snapshot, close_date=snapshot_day, prices=data.lookup)
    chosen = _members(
        definition, ranked, held=held, left_out=left_out, data=data, day=snapshot_day, is_review=is_review
    )
    members = chosen.held
    too_few = _too_few(definition, chosen, ranked, day=snapshot_day)
    tilt = definition.weighting.tilt
    if too_few is None and tilt is not None and not has_tilt(members, tilt):
        return Decision(failure=reasons.nothing_to_tilt_by(tilt, day=snapshot_day))
    to_stable, filled = Refuge(), filled_places(definition, members)
    if definition.parking is not None:
        to_stable = refuge(
            definition,
            snapshot,
            market=data.market_state(market_day),
            stance=stance,
            effective_at=effective_at,
            close_date=market_day,
            prices=data.lookup,
            forced_by=_calls_leave_too_few(definition, ranked, members) if held else None,
            filled=filled,
            empty_because=reasons.empty_places(
                definition, filled=members.height, passed=ranked.passed, judged=ranked.judged
            ),
        )
    is_rotated = to_stable.rotated >= 1 - SAME_SHARE
    failure = to_stable.failure if held and is_rotated else too_few or to_stable.failure
    if failure is not None:
        return Decision(failure=failure)
    share = definition.selection.leave_out_worst
    if share > 0 and not held and not chosen.left_out:
        # Until something is left out it is no screened index, and against its twin it would show nothing.
        has_scores = members["prior_score"].is_not_null().any()
        return Decision(
            failure=reasons.nothing_left_out(members.height, share=share, has_scores=has_scores, day=snapshot_day)
        )
    for token_id in definition.weighting.core_weights:
        if not is_rotated and not data.lookup.is_priced(token_id, snapshot_day):
            since = data.lookup.last_priced(token_id, snapshot_day)
            return Decision(failure=reasons.unpriced_core(token_id, since))
    members = members.clear() if is_rotated else _with_core(definition, ranked, members)
    chosen = Chosen(members, chosen.left_out)
    try:
        weights = weigh_members(definition, members, held=held, filled=filled, data=data, day=snapshot_day)
    except (InfeasibleCapError, OptimiserError) as error:
        return Decision(failure=reasons.refused(error=error, day=snapshot_day))
    is_share_new = abs(to_stable.share - stance.share) > SAME_SHARE
    aims = weights.aims(invested=1.0 - to_stable.share)
    aims |= {stable.token_id: to_stable.share * stable.share for stable in to_stable.stables}
    is_worthwhile = is_share_new or is_worth_trading(definition, held=held, aims=aims)
    if definition.is_model_driven and not is_worthwhile:
        return Decision(note=to_stable.note)
    targets = [
        *member_targets(
            definition, chosen, weights, held=held, ranked=ranked, to_stable=to_stable, data=data, day=snapshot_day
        ),
        *stable_targets(held, to_stable=to_stable),
    ]
    ordered = tuple(sorted(targets, key=lambda target: target.token_id))
    return Decision(Rebalance(effective_at, ordered), note=to_stable.note)


def _too_few(definition: IndexDefinition, chosen: Chosen, ranked: Ranked, *, day: dt.date) -> str | None:
    needed = definition.minimum_constituents
    if definition.parks_empty_places:
        return reasons.too_few_judged(found=ranked.judged, needed=needed, day=day) if ranked.judged < needed else None
    if chosen.held.height < needed:
        return reasons.too_few(found=ranked.passed, needed=needed, day=day, left_out=len(chosen.left_out))
    return None


def _members(
    definition: IndexDefinition,
    ranked: Ranked,
    *,
    held: Sequence[Holding],
    left_out: Sequence[Target],
    data: MarketData,
    day: dt.date,
    is_review: bool,
) -> Chosen:
    core = definition.weighting.core_weights
    before = {holding.token_id for holding in held if not holding.is_rotation and holding.token_id not in core}
    if not is_review:
        priced = priced_tokens(before, data=data, day=day)
        kept = ranked.still_held(priced, weighting=definition.weighting)
        if kept.height >= definition.minimum_constituents:
            return Chosen(kept, [(target.token_id, target.symbol, None) for target in left_out])
    selection = definition.selection
    if selection.count_rule == "aic":
        count = aic_count(ranked.eligible, day=day, prices=data.lookup, most=selection.count)
        selection = selection.model_copy(update={"count": count})
    before |= {target.token_id for target in left_out}
    chosen = ranked.choose(held=before, selection=selection)
    share = selection.leave_out_worst
    if share == 0:
        return Chosen(chosen)
    worst = worst_of(chosen, share=share).select("token_id", "symbol", "prior_score").rows()
    return Chosen(
        chosen.filter(~pl.col("token_id").is_in([token_id for token_id, _, _ in worst])),
        [(token_id, symbol, reasons.among_the_worst(share=share, score=score)) for token_id, symbol, score in worst],
    )


def _with_core(definition: IndexDefinition, ranked: Ranked, members: pl.DataFrame) -> pl.DataFrame:
    """Constituents with the core before them; a token of the core that is no candidate goes by its token_id."""
    if not definition.weighting.core:
        return members
    core = pl.DataFrame({"token_id": list(definition.weighting.core_weights)}, schema={"token_id": pl.String})
    known = core.join(ranked.excluded.drop("exclusion"), on="token_id", how="left", maintain_order="left")
    rows = known.with_columns(symbol=pl.coalesce("symbol", "token_id"))
    return pl.concat([rows, members], how="diagonal_relaxed")


def _calls_leave_too_few(definition: IndexDefinition, ranked: Ranked, members: pl.DataFrame) -> str | None:
    """Why all is to be parked: enough tokens pass every test but that of their call. None where that is not so."""
    left_out = sum(code in definition.eligibility.leave_out_calls for code in ranked.codes)
    needed = definition.minimum_constituents
    if definition.parks_empty_places or members.height >= needed or members.height + left_out < needed:
        return None
    return reasons.too_few_by_calls(
        found=members.height, needed=needed, left_out=left_out, calls=definition.eligibility.leave_out_calls
    )


def is_worth_trading(definition: IndexDefinition, *, held: Iterable[Holding], aims: Mapping[str, float]) -> bool:
    """Whether a model-driven index whose share in stables stays trades towards new targets.

    It does when it starts, when a token enters or leaves or when a weight is further from its target than the band,
    and always under `calendar.retrade: every_week`. Scores move weights every week without telling much, so following
    each change would buy turnover rather than return. `aims` are weights before a turnover limit, zero for none: what
    it put off last week is taken up this week.
    """
    before = {holding.token_id: holding.weight for holding in held}
    after = {token_id: weight for token_id, weight in aims.items() if weight > 0}
    if definition.calendar.retrade == "every_week" or before.keys() != after.keys():
        return True
    return any(abs(after[token_id] - before[token_id]) > definition.calendar.retrade_band for token_id in after)


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
        definition: An index that parks weight in stablecoins.
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
