"""The walk: many variants of a model-driven index through all weeks at once, each as the index engine would compute it.

Belongs here: who is taken, when it is traded, what it is worth from close to close; one row a variant in every array.
Does not: rankings and weight columns (`tables.py`), single trades out of a stablecoin that lost its peg (`fallen_stables.py`).

The rules are those of `models_ml/indices` (`decision.py`, `engine.py`, `levels.py`), and a test holds every level to the engine's.
Two things are left out because they change no level: reasons in words, and the status of weeks in which too little is priced.

A place holds one token of a variant: first those of its constituents, then those of its stablecoins. The position after the last
token stands for an empty place, whose weight is 0 and whose price is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models_ml.indices.state import SAME_SHARE
from models_ml.optimiser.fallen_stables import Held, leave_fallen
from models_ml.optimiser.rules import Rules
from models_ml.optimiser.tables import Tables, basket_on
from models_ml.optimiser.weights import limit_rows, shares_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

DAYS_A_WEEK = 7
BASIS_POINT = 1e-4


@dataclass(frozen=True)
class Traded:
    """Trades of one close: which variants, and the tokens and weights they trade to."""

    day: int
    rows: Integers
    tokens: Integers
    weights: Floats


@dataclass(frozen=True)
class Walked:
    """What became of some variants.

    Attributes:
        levels: One row a variant and one column a day from the first decision's close, after costs; NaN before a start.
        turnover: Sum over all trades but the first of half of what is bought and sold, a fraction of the index.
        trades: Number of trades, the first included.
        traded: The trades themselves where they were asked for.
    """

    levels: Floats
    turnover: Floats
    trades: Integers
    traded: tuple[Traded, ...] = ()


@dataclass
class _Basket:
    """Holdings of every variant, one row each; `units` is weight over price when bought, `divisor` makes it the level."""

    tokens: Integers
    units: Floats
    divisor: Floats
    share: Floats
    since: Integers
    is_started: Booleans

    @classmethod
    def empty(cls, number: int, places: int, *, none: int) -> _Basket:
        return cls(
            tokens=np.full((number, places), none, dtype=np.int64),
            units=np.zeros((number, places)),
            divisor=np.ones(number),
            share=np.zeros(number),
            since=np.full(number, -(10**6), dtype=np.int64),
            is_started=np.zeros(number, dtype=bool),
        )


@dataclass
class _Pending:
    """Targets decided on Sunday's close that trade at Monday's; `rows` is empty where nothing trades."""

    rows: Integers
    tokens: Integers
    weights: Floats


@dataclass
class _Walk:
    """All variants in the making. `width` is the number of places for constituents, `day` counts from the first decision's close."""

    rules: Rules
    tables: Tables
    cost_bps: float
    keeps_trades: bool
    width: int
    basket: _Basket
    levels: Floats
    kept: Floats  # what costs have left of each variant, a factor
    turnover: Floats
    trades: Integers
    dense: Floats  # weights by token, zero between uses
    traded: list[Traded] = field(default_factory=list)


def walk(rules: Rules, tables: Tables, *, cost_bps: float = 0.0, keeps_trades: bool = False) -> Walked:
    """Walk some variants through all weeks.

    Args:
        rules: The variants.
        tables: What they read.
        cost_bps: Cost of each trade in basis points of what is bought and of what is sold; shows the day after.
        keeps_trades: Whether to keep targets, which need room.
    """
    number = len(rules)
    width = int(rules.count.max())
    # Twice as many: a stablecoin that is held stays beside the ones bought for another that fell.
    stables = max((2 * parking.most for parking in tables.parkings), default=0)
    state = _Walk(
        rules=rules,
        tables=tables,
        cost_bps=cost_bps,
        keeps_trades=keeps_trades,
        width=width,
        basket=_Basket.empty(number, width + stables, none=tables.none),
        levels=np.full((number, tables.prices_usd.shape[1]), np.nan),
        kept=np.ones(number),
        turnover=np.zeros(number),
        trades=np.zeros(number, dtype=np.int64),
        dense=np.zeros((number, tables.none + 1)),
    )
    weights = np.zeros(state.basket.units.shape)
    for week in range(len(tables.mondays)):
        pending = _decide(state, week, weights)
        if week + 1 < len(tables.mondays):
            weights = _carry(state, week, pending)
    return Walked(state.levels, state.turnover, state.trades, tuple(state.traded))


def _decide(state: _Walk, week: int, weights: Floats) -> _Pending:
    """Targets at decision `week`, of the variants that trade towards them.

    Args:
        state: The walk.
        week: Position of the decision.
        weights: Weights at the close it rests on, in the places of the basket.
    """
    rules, tables, basket, width = state.rules, state.tables, state.basket, state.width
    every = np.arange(len(rules))
    held_tokens, held_weights = basket.tokens[:, :width], weights[:, :width]
    state.dense[every[:, None], held_tokens] = held_weights
    state.dense[:, tables.none] = 0.0
    members, chosen_held = _choose(state, week)
    is_member = members != tables.none
    size = is_member.sum(axis=1)
    wanted = _weigh(state, week, members, is_member)
    share, stables, stable_shares = _refuge(state, week)
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
    trades &= (size >= rules.minimum) & (rules.first_decision <= tables.mondays[week].toordinal())
    rows = np.flatnonzero(trades)
    tokens = np.hstack([members, stables])[rows]
    new_weights = np.hstack([targets, parked])[rows]
    tokens = np.where(new_weights > 0, tokens, tables.none)
    is_new = np.abs(new_weights[:, width:].sum(axis=1) - basket.share[rows]) > SAME_SHARE
    basket.since[rows[is_new]] = _effective(week)
    basket.share[rows[is_new]] = new_weights[is_new, width:].sum(axis=1)
    if state.keeps_trades and len(rows):
        state.traded.append(Traded(DAYS_A_WEEK * week + 1, rows, tokens, new_weights))
    return _Pending(rows, tokens, new_weights)


def _effective(week: int) -> int:
    """Day number, from the first decision's close, at whose 00:00 UTC a decision is in force: one day after Monday's."""
    return DAYS_A_WEEK * week + 2


def _choose(state: _Walk, week: int) -> tuple[Integers, Integers]:
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


def _weigh(state: _Walk, week: int, members: Integers, is_member: Booleans) -> Floats:
    """Weights of the invested part, summing to 1 in every row that has a constituent."""
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
    upper = rules.ceilings[:, : members.shape[1]]
    rows = np.flatnonzero(rules.is_ranked_cap & has_any)
    if len(rows):
        # The largest share gets the first ceiling; ties go by token_id, in whose order tokens are numbered.
        order = np.lexsort((members[rows], -shares[rows]), axis=1)
        by_size = np.empty_like(shares[rows])
        np.put_along_axis(by_size, order, upper[rows], axis=1)
        upper = upper.copy()
        upper[rows] = by_size
    return limit_rows(shares, upper, rules.floor, is_member)


def _refuge(state: _Walk, week: int) -> tuple[Floats, Integers, Floats]:
    """Share in stablecoins, the stablecoins and their shares of it, by variant."""
    rules, tables, basket = state.rules, state.tables, state.basket
    places = basket.tokens.shape[1] - state.width
    share = np.zeros(len(rules))
    tokens = np.full((len(rules), places), tables.none, dtype=np.int64)
    shares = np.zeros((len(rules), places))
    for position, parking in enumerate(tables.parkings):
        rows = np.flatnonzero(rules.parking == position)
        if not len(rows):
            continue
        asked = np.full(len(rows), parking.wanted[week])
        is_kept = (np.abs(asked - basket.share[rows]) > SAME_SHARE) & (
            _effective(week) < basket.since[rows] + rules.min_hold_days[rows]
        )
        asked = np.where(is_kept, basket.share[rows], asked)
        if not (asked > 0).any():
            continue
        found, parts = basket_on(parking, tables, week=week, day=DAYS_A_WEEK * week)
        if not len(found):
            continue
        rows, asked = rows[asked > 0], asked[asked > 0]
        share[rows] = asked
        tokens[rows, : len(found)] = found
        shares[rows, : len(found)] = parts
    return share, tokens, shares


def _carry(state: _Walk, week: int, pending: _Pending) -> Floats:
    """Trade what is pending at Monday's close and value the week; weights at its last close."""
    basket, tables = state.basket, state.tables
    monday = DAYS_A_WEEK * week + 1
    prices = np.ascontiguousarray(tables.prices_usd[:, monday : monday + DAYS_A_WEEK])
    before = state.kept.copy()
    if len(pending.rows):
        _trade(state, pending, prices[:, 0])
    block = np.take(prices, basket.tokens, axis=0)
    worth = np.einsum("ps,psd->pd", basket.units, block)
    with np.errstate(invalid="ignore"):
        gross = np.where(basket.is_started[:, None], worth / basket.divisor[:, None], np.nan)
    days = slice(monday, monday + DAYS_A_WEEK)
    state.levels[:, days] = gross * state.kept[:, None]
    state.levels[:, monday] = gross[:, 0] * before
    last = basket.units * block[:, :, -1]
    for row in _rows_with_fallen(state, block):
        last[row] = _leave(state, week, row)
    total = last.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(last, total, out=np.zeros_like(last), where=total > 0))


def _trade(state: _Walk, pending: _Pending, prices: Floats) -> None:
    """Swap baskets at the level of the old one, or at the base level, and take the costs."""
    basket, rows = state.basket, pending.rows
    each = np.arange(len(rows))[:, None]
    worth = basket.units[rows] * prices[basket.tokens[rows]]
    total = worth.sum(axis=1)
    was_started = basket.is_started[rows]
    level = np.where(was_started, total / basket.divisor[rows], state.rules.base_level[rows])
    held = np.divide(worth, total[:, None], out=np.zeros_like(worth), where=total[:, None] > 0)
    dense = state.dense[: len(rows)]
    dense[each, basket.tokens[rows]] = held
    dense[:, state.tables.none] = 0.0
    old = dense[each, pending.tokens]
    dense[each, basket.tokens[rows]] = 0.0
    moved = np.abs(pending.weights - old).sum(axis=1) + held.sum(axis=1) - old.sum(axis=1)
    state.turnover[rows] += np.where(was_started, moved / 2, 0.0)
    state.kept[rows] *= 1 - state.cost_bps * BASIS_POINT * moved
    state.trades[rows] += 1
    basket.tokens[rows] = pending.tokens
    basket.units[rows] = pending.weights / prices[pending.tokens]
    basket.divisor[rows] = pending.weights.sum(axis=1) / level
    basket.is_started[rows] = True


def _rows_with_fallen(state: _Walk, block: Floats) -> Integers:
    """Variants that hold a stablecoin which closes below its limit before the week's last close, which the next decision judges."""
    if block.shape[1] == state.width:
        return np.zeros(0, dtype=np.int64)
    lowest = block[:, state.width :, :-1].min(axis=2)
    is_held = state.basket.units[:, state.width :] > 0
    return np.flatnonzero((is_held & (lowest < state.rules.leave_below_usd[:, None])).any(axis=1))


def _leave(state: _Walk, week: int, row: int) -> Floats:
    """Walk one variant through a week in which a stablecoin fell; its worth by place at the last close."""
    basket, rules = state.basket, state.rules
    monday = DAYS_A_WEEK * week + 1
    held = Held(
        tokens=basket.tokens[row],
        units=basket.units[row],
        divisor=float(basket.divisor[row]),
        share=float(basket.share[row]),
        since=int(basket.since[row]),
    )
    parking = state.tables.parkings[int(rules.parking[row])]
    after, trades = leave_fallen(held, state.tables, parking, week=week, first_day=monday, width=state.width)
    for trade in trades:
        factor = 1 - state.cost_bps * BASIS_POINT * trade.moved
        state.kept[row] *= factor
        state.levels[row, trade.day + 1 : monday + DAYS_A_WEEK] = (
            trade.levels_after[: monday + DAYS_A_WEEK - 1 - trade.day] * state.kept[row]
        )
        state.turnover[row] += trade.moved / 2
        state.trades[row] += 1
        if state.keeps_trades:
            state.traded.append(
                Traded(trade.day, np.array([row], dtype=np.int64), trade.tokens[None, :], trade.weights[None, :])
            )
    basket.tokens[row], basket.units[row], basket.divisor[row] = after.tokens, after.units, after.divisor
    basket.share[row], basket.since[row] = after.share, after.since
    return np.asarray(after.units * state.tables.prices_usd[after.tokens, monday + DAYS_A_WEEK - 1])
