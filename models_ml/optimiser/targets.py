"""Targets of many variants at one close: who is held at which weight, how much in stablecoins, and who trades towards it.

Belongs here: a decision, each as the index engine would make it; one row a variant in every array.
Does not: rankings and weight columns (`tables.py`), when decisions fall due (`walk.py`, `midweek.py`), trades (`holdings.py`).

Source: `models_ml/indices/decision.py`, `rotation.py`, `limits.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models_ml.indices.state import SAME_SHARE
from models_ml.optimiser.holdings import Holdings, Pending
from models_ml.optimiser.tables import basket_on
from models_ml.optimiser.weights import are_met, calmness_of, limit_rows, shares_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


def decide(state: Holdings, week: int, weights: Floats, *, day: int) -> Pending:
    """Targets of the variants that trade towards them at the close of `day` + 1.

    Args:
        state: What is held.
        week: Position of the newest decision, whose snapshot says who is eligible and how it is weighed.
        weights: Weights at the close that the decision compares with, in the places of the basket.
        day: Column of the close that Bitcoin and the stablecoins are judged at.
    """
    rules, tables, basket, width = state.rules, state.tables, state.basket, state.width
    every = np.arange(len(rules))
    held_tokens, held_weights = basket.tokens[:, :width], weights[:, :width]
    state.dense[every[:, None], held_tokens] = held_weights
    state.dense[:, tables.none] = 0.0
    members, chosen_held = _choose(state, week)
    is_member = members != tables.none
    size = is_member.sum(axis=1)
    wanted, is_feasible = _weigh(state, week, members, is_member)
    share, stables, stable_shares = _refuge(state, week, day, is_forced=_calls_leave_too_few(state, week, size))
    invested = 1.0 - share
    is_invested = invested > SAME_SHARE
    targets = np.where(is_invested[:, None], wanted * invested[:, None], 0.0)
    parked = share[:, None] * stable_shares

    held_size = (held_weights > 0).sum(axis=1)
    has_other_members = np.where(is_invested, (chosen_held != size) | (held_size != size), held_size > 0)
    drift = np.abs(targets - state.dense[every[:, None], members])
    state.dense[every[:, None], held_tokens] = 0.0
    is_off = (np.where(is_member & is_invested[:, None], drift, 0.0) > rules.band[:, None]).any(axis=1)
    if stables.shape[1]:
        held_stables, stable_weights = basket.tokens[:, width:], weights[:, width:]
        state.dense[every[:, None], held_stables] = stable_weights
        state.dense[:, tables.none] = 0.0
        before = state.dense[every[:, None], stables]
        state.dense[every[:, None], held_stables] = 0.0
        is_held = (parked > 0) & (before > 0)
        number_parked, number_held = (parked > 0).sum(axis=1), (stable_weights > 0).sum(axis=1)
        has_other_members |= (is_held.sum(axis=1) != number_parked) | (number_held != number_parked)
        is_off |= (np.where(parked > 0, np.abs(parked - before), 0.0) > rules.band[:, None]).any(axis=1)
    trades = rules.trades_weekly | has_other_members | is_off | (np.abs(share - basket.share) > SAME_SHARE)
    # What is all parked needs no constituents, unless it is to start so, and no weights for them.
    is_set = (size >= rules.minimum) & (is_feasible | ~is_invested) | (basket.is_started & ~is_invested)
    trades &= is_set & (rules.first_decision <= tables.mondays[week].toordinal())
    rows = np.flatnonzero(trades)
    tokens = np.hstack([members, stables])[rows]
    new_weights = np.hstack([targets, parked])[rows]
    return Pending(rows, np.where(new_weights > 0, tokens, tables.none), new_weights)


def _choose(state: Holdings, week: int) -> tuple[Integers, Integers]:
    """Constituents by rank in the first places of each row, and how many of them are held; `state.dense` has what is held."""
    rules, tables = state.rules, state.tables
    depth = int(np.maximum(rules.exit_rank, rules.count).max())
    ranked = tables.ranked[rules.rank_key, week, :depth]
    place = np.arange(depth)
    is_token = ranked != tables.none
    is_held = np.take_along_axis(state.dense, ranked, axis=1) > 0
    first = is_token & (place < rules.entry_rank[:, None])
    stays = is_held & ~first & (place < rules.exit_rank[:, None])
    other = is_token & ~first & ~stays
    room = rules.count - first.sum(axis=1)
    stays &= np.cumsum(stays, axis=1, dtype=np.int16) <= room[:, None]
    room = room - stays.sum(axis=1)
    other &= np.cumsum(other, axis=1, dtype=np.int16) <= room[:, None]
    chosen = first | stays | other
    rows, columns = np.nonzero(chosen)
    places = (np.cumsum(chosen, axis=1, dtype=np.int16) - 1)[rows, columns]
    members = np.full((len(rules), state.width), tables.none, dtype=np.int64)
    members[rows, places] = ranked[rows, columns]
    return members, (chosen & is_held).sum(axis=1)


def _weigh(state: Holdings, week: int, members: Integers, is_member: Booleans) -> tuple[Floats, Booleans]:
    """Weights of the invested part, summing to 1 in every row that has a constituent, and whether the limits allow any."""
    rules, tables = state.rules, state.tables
    shares = np.zeros(members.shape)
    size = is_member.sum(axis=1)
    has_any = size > 0
    for column in range(rules.parts.shape[1]):
        rows = np.flatnonzero((rules.parts[:, column] > 0) & has_any)
        if not len(rows):
            continue
        counts = tables.counts[column, week][members[rows]]
        if tables.is_rank[column]:
            counts = size[rows, None] - np.arange(members.shape[1])
        shares[rows] += rules.parts[rows, column, None] * shares_of(counts, is_member[rows])
    shares[has_any] /= shares[has_any].sum(axis=1, keepdims=True)
    upper = _ceilings(state, week, members, is_member, shares)
    return limit_rows(shares, upper, rules.floor, is_member), are_met(upper, is_member)


def _ceilings(state: Holdings, week: int, members: Integers, is_member: Booleans, shares: Floats) -> Floats:
    """Largest weights: caps, by rank where they are, lowered for who moves or trades too little for them."""
    rules, tables = state.rules, state.tables
    has_any = is_member.any(axis=1)
    upper = rules.ceilings[:, : members.shape[1]]
    rows = np.flatnonzero(rules.is_ranked_cap & has_any)
    if len(rows):
        # The largest share gets the first ceiling; ties go by token_id, in whose order tokens are numbered.
        order = np.lexsort((members[rows], -shares[rows]), axis=1)
        by_size = np.empty_like(shares[rows])
        np.put_along_axis(by_size, order, upper[rows], axis=1)
        upper = upper.copy()
        upper[rows] = by_size
    caps = upper
    rows = np.flatnonzero(np.isfinite(rules.weight_per_usd) & has_any)
    if len(rows):
        upper = caps.copy()
        allowed = rules.weight_per_usd[rows, None] * tables.volumes_usd[week][members[rows]]
        upper[rows] = np.minimum(caps[rows], allowed)
    for column in range(len(tables.volatilities)):
        rows = np.flatnonzero((rules.calm_column == column) & has_any)
        if not len(rows):
            continue
        upper = upper.copy() if upper is caps else upper
        calmness = calmness_of(tables.volatilities[column, week][members[rows]], is_member[rows])
        upper[rows] = np.minimum(upper[rows], caps[rows] * calmness)
    return upper


def _calls_leave_too_few(state: Holdings, week: int, size: Integers) -> Booleans:
    """Variants that park all because of calls: enough tokens pass every test but that of theirs."""
    rules = state.rules
    left_out = state.tables.left_out_by_call[rules.rank_key, week]
    is_asked = state.basket.is_started & (rules.parking >= 0)
    return np.asarray(is_asked & (size < rules.minimum) & (size + left_out >= rules.minimum))


def _refuge(state: Holdings, week: int, day: int, *, is_forced: Booleans) -> tuple[Floats, Integers, Floats]:
    """Share in stablecoins, the stablecoins and their shares of it, by variant."""
    rules, tables, basket = state.rules, state.tables, state.basket
    places = basket.tokens.shape[1] - state.width
    share = np.zeros(len(rules))
    tokens = np.full((len(rules), places), tables.none, dtype=np.int64)
    shares = np.zeros((len(rules), places))
    if not len(tables.parkings):
        return share, tokens, shares
    asked = np.where(is_forced, 1.0, tables.wanted[rules.parking, day])
    # The trade is in force from 00:00 UTC after the close of day + 1.
    is_kept = (day + 2 < basket.since + rules.min_hold_days) & ~is_forced
    is_kept &= np.abs(asked - basket.share) > SAME_SHARE
    asked = np.where(is_kept, basket.share, asked)
    asking = np.flatnonzero((asked > 0) & (rules.parking >= 0))
    for position in np.unique(rules.parking[asking]).tolist():
        found, parts = basket_on(tables.parkings[position], tables, week=week, day=day)
        if not len(found):
            continue
        rows = asking[rules.parking[asking] == position]
        share[rows] = asked[rows]
        tokens[rows, : len(found)] = found
        shares[rows, : len(found)] = parts
    return share, tokens, shares
