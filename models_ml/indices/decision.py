"""One rebalance: from a day's snapshot to target weights, with a reason for each token.

Belongs here: putting selection, weighting and rotation together, and whether the result is worth trading.
Does not: when decisions fall due and take effect (`schedule.py`, `engine.py`).
"""

import datetime as dt
import functools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from models_ml.indices import reasons
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.errors import InfeasibleCapError, OptimiserError
from models_ml.indices.feature_rules import Tilt, feature_column
from models_ml.indices.limits import bounds_on, part_of_the_way
from models_ml.indices.market import STALE_AFTER_DAYS, MarketData
from models_ml.indices.member_count import aic_count
from models_ml.indices.past_returns import past_returns
from models_ml.indices.rotation import Refuge, parking_basket, refuge
from models_ml.indices.selection import Ranked, rank_candidates, worst_of
from models_ml.indices.state import SAME_SHARE, Rebalance, Stance, Target
from models_ml.indices.tilting import has_tilt, tilt_factors
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
    to_stable, filled = Refuge(), _filled(definition, members)
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
    chosen = _Chosen(members, chosen.left_out)
    try:
        weights = _weigh_members(definition, members, held=held, filled=filled, data=data, day=snapshot_day)
    except (InfeasibleCapError, OptimiserError) as error:
        return Decision(failure=reasons.refused(error=error, day=snapshot_day))
    is_share_new = abs(to_stable.share - stance.share) > SAME_SHARE
    aims = weights.aims(invested=1.0 - to_stable.share)
    aims |= {stable.token_id: to_stable.share * stable.share for stable in to_stable.stables}
    is_worthwhile = is_share_new or is_worth_trading(definition, held=held, aims=aims)
    if definition.is_model_driven and not is_worthwhile:
        return Decision(note=to_stable.note)
    targets = [
        *_member_targets(
            definition, chosen, weights, held=held, ranked=ranked, to_stable=to_stable, data=data, day=snapshot_day
        ),
        *_stable_targets(held, to_stable=to_stable),
    ]
    ordered = tuple(sorted(targets, key=lambda target: target.token_id))
    return Decision(Rebalance(effective_at, ordered), note=to_stable.note)


@dataclass(frozen=True)
class _Chosen:
    """Snapshot rows of the tokens to hold, and (token_id, symbol, why) of those that were chosen and left out as the worst.

    `why` is None for a token left out at a review before.
    """

    held: pl.DataFrame
    left_out: Sequence[tuple[str, str, str | None]] = ()


def _too_few(definition: IndexDefinition, chosen: _Chosen, ranked: Ranked, *, day: dt.date) -> str | None:
    needed = definition.minimum_constituents
    if definition.parks_empty_places:
        return reasons.too_few_judged(found=ranked.judged, needed=needed, day=day) if ranked.judged < needed else None
    if chosen.held.height < needed:
        return reasons.too_few(found=ranked.passed, needed=needed, day=day, left_out=len(chosen.left_out))
    return None


def _filled(definition: IndexDefinition, members: pl.DataFrame) -> float:
    """Fraction of the places that constituents fill; 1 for an index that shares empty ones out."""
    return members.height / definition.selection.count if definition.parks_empty_places else 1.0


def _members(
    definition: IndexDefinition,
    ranked: Ranked,
    *,
    held: Sequence[Holding],
    left_out: Sequence[Target],
    data: MarketData,
    day: dt.date,
    is_review: bool,
) -> _Chosen:
    core = definition.weighting.core_weights
    before = {holding.token_id for holding in held if not holding.is_rotation and holding.token_id not in core}
    if not is_review:
        priced = _priced(before, data=data, day=day)
        kept = ranked.still_held(priced, weighting=definition.weighting)
        if kept.height >= definition.minimum_constituents:
            return _Chosen(kept, [(target.token_id, target.symbol, None) for target in left_out])
    selection = definition.selection
    if selection.count_rule == "aic":
        count = aic_count(ranked.eligible, day=day, prices=data.lookup, most=selection.count)
        selection = selection.model_copy(update={"count": count})
    before |= {target.token_id for target in left_out}
    chosen = ranked.choose(held=before, selection=selection)
    share = selection.leave_out_worst
    if share == 0:
        return _Chosen(chosen)
    worst = worst_of(chosen, share=share).select("token_id", "symbol", "prior_score").rows()
    return _Chosen(
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


@dataclass(frozen=True)
class _MemberWeights:
    """Weights of the invested part, summing to 1, by token_id.

    `wanted` is what the constituents should weigh, `reached` what the turnover limit allows, leaving tokens among them;
    `before` is what was held and can be traded. `clauses` tell what the other limits did.
    """

    wanted: Mapping[str, float]
    reached: Mapping[str, float]
    before: Mapping[str, float]
    clauses: Mapping[str, str | None]

    def aims(self, *, invested: float) -> dict[str, float]:
        """Wanted weights of the whole index; none where nothing is invested."""
        return {token_id: weight * invested for token_id, weight in self.wanted.items() if invested > SAME_SHARE}


def _weigh_members(
    definition: IndexDefinition,
    members: pl.DataFrame,
    *,
    held: Sequence[Holding],
    filled: float,
    data: MarketData,
    day: dt.date,
) -> _MemberWeights:
    """Weigh the constituents, then see how far the turnover limit lets them go.

    The limit is one of the invested part: what a rotation moves does not count. A holding without a recent price cannot
    be traded; it goes at once, at its last price, and the limit is held against the others.
    """
    weighting, token_ids = definition.weighting, members["token_id"].to_list()
    before = _shares_held(held)
    if not token_ids:
        return _MemberWeights({}, {}, before, {})
    past = functools.cache(functools.partial(past_returns, data.lookup, token_ids, day))  # weights and limits ask
    shares, weights = weigh(members, weighting, past=past, held=before, filled=filled)
    bounds = bounds_on(members, shares, weighting, held=before, past=past)
    of_places = [(numbers * filled).to_list() for numbers in (shares, weights)]
    clauses = {
        token_id: reasons.limited(bounds, position=position, before=of_places[0], after=of_places[1])
        for position, token_id in enumerate(token_ids)
    }
    if weighting.tilt is not None:
        others = members.filter(~pl.col("token_id").is_in(list(weighting.core_weights)))
        clauses |= _with_tilt(clauses, others, weighting.tilt)
    wanted = dict(zip(token_ids, weights.to_list(), strict=True))
    priced = _priced((holding.token_id for holding in held), data=data, day=day)
    tradable = _shares_held(holding for holding in held if holding.token_id in priced)
    if weighting.max_turnover is None or not tradable:
        return _MemberWeights(wanted, wanted, before, clauses)
    reached = part_of_the_way(tradable, wanted, max_turnover=weighting.max_turnover)
    return _MemberWeights(wanted, reached, tradable, clauses)


def _priced(token_ids: Iterable[str], *, data: MarketData, day: dt.date) -> set[str]:
    """Those with a recent close, without which they cannot be traded."""
    names = list(token_ids)
    return {
        token_id for token_id, has_price in zip(names, data.lookup.are_priced(names, day), strict=True) if has_price
    }


def _with_tilt(clauses: Mapping[str, str | None], members: pl.DataFrame, tilt: Tilt) -> dict[str, str | None]:
    """Clauses opened by what the tilt did, which came before the limits."""
    factors = tilt_factors(members, tilt).to_list()
    told: dict[str, str | None] = {}
    for row, factor in zip(members.iter_rows(named=True), factors, strict=True):
        unknown = [feature for feature in tilt.features if row[feature_column(feature)] is None]
        clause = reasons.tilted(factor, tilt, unknown=unknown)
        told[row["token_id"]] = "; ".join(filter(None, [clause, clauses[row["token_id"]]]))
    return told


def _shares_held(held: Iterable[Holding]) -> dict[str, float]:
    """Fractions of the invested part, summing to 1; nothing where all is in stables."""
    weights = {holding.token_id: holding.weight for holding in held if not holding.is_rotation}
    total = math.fsum(weights.values())
    return {token_id: weight / total for token_id, weight in weights.items()} if total > 0 else {}


def _member_targets(
    definition: IndexDefinition,
    chosen: _Chosen,
    weights: _MemberWeights,
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
    pairs = [] if _filled(definition, members) < 1 else list(zip(entrants, unscreened, strict=False))
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


def _turnover_clause(definition: IndexDefinition, weights: _MemberWeights, token_id: str) -> str | None:
    limit = definition.weighting.max_turnover
    if limit is None:
        return None
    return reasons.moved_in_part(
        before=weights.before.get(token_id, 0.0),
        wanted=weights.wanted[token_id],
        after=weights.reached[token_id],
        max_turnover=limit,
    )


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
