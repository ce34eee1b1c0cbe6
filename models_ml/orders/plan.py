"""The orders that turn what is held into what an index holds.

Belongs here: how much of what is sold and bought, what cannot be, and what is held afterwards.
Does not: rules of a market (`market_rules.py`), which market trades a token (`matching.py`), printing.

The rules, stated because a user trades by them:
- All values are in the quote currency. A holding is worth the middle of bid and ask; sales are priced at the bid, purchases
  at the ask, and every order pays the fee of the venue's own market data.
- Targets are weights of what the portfolio is worth after all these costs, so the purchases and their fees are paid for by
  the cash and the sales. There is never any debt.
- Amounts are rounded down to the market's step. An order below a minimum of the venue is left out and named.
- A position that is off by no more than one step and a hundredth of itself stays. Without that, every run would sell what
  the last one paid in fees. What has left the index is sold whole.
- The weight of a token that cannot be traded stays in cash, or is spread over the others where that is asked for. What is held
  of it stays and counts as it stands; if that is more than its weight, all purchases shrink by one factor, and where that
  brings some below a minimum the smallest are left out.
- Planning again on what the orders lead to gives no order: the plan is repeated on its own result until nothing is left to do.
  Where a market counts significant digits, that may be a second order for the digits that the first could not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Literal

from models_ml.orders.errors import OrderDataError
from models_ml.orders.market_rules import FeeKind, MarketRules
from models_ml.orders.matching import Match, Quote

NOTHING: Final = Decimal(0)
POSITION_TOLERANCE: Final = Decimal("0.01")
"""Fraction of itself a position may be off besides one step; above what a round of costs takes from all positions."""

ROUNDS: Final = 12
"""Times a plan is repeated on its own result; two do unless positions are stuck."""

COST_STEPS: Final = 6
"""Times the worth after costs is found anew from the costs of the orders it leads to; each takes a power of the cost rate."""

SPARE: Final = Decimal("1e-9")
"""Fraction of the money not spent, so that a rounded quotient cannot overdraw it."""

Side = Literal["sell", "buy"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One token that is held or to be held.

    Attributes:
        token_id: The token.
        symbol: Its ticker.
        target_weight: Fraction of the portfolio it is to be, 0 for a token that has left.
        units: Tokens held.
        match: Its market on the venue.
        close: Newest close in the quote, which values a holding that the venue quotes no price for; None where unknown.
    """

    token_id: str
    symbol: str
    target_weight: float
    units: Decimal
    match: Match
    close: Decimal | None = None

    @property
    def is_tradable(self) -> bool:
        """Whether orders can be made for it."""
        return self.match.problem is None

    @property
    def price(self) -> Decimal:
        """What one token is worth in the quote; 0 where nothing is known."""
        if self.match.quote is not None:
            return self.match.quote.mid / self.match.multiple
        return self.close or NOTHING


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order to place.

    Attributes:
        token_id: The token.
        symbol: Its ticker.
        market_id: Unified name of the market.
        side: Sales come first.
        amount: In the market's base, a multiple of its step.
        price: Bid of a sale, ask of a purchase, in the quote.
        fee_rate: Fraction of the notional.
        is_fee_in_base: Whether the venue takes it out of what is bought.
        multiple: Tokens in one unit of the base.
        reason: Why, in words.
        note: What to mind when placing it, None for nothing.
    """

    token_id: str
    symbol: str
    market_id: str
    side: Side
    amount: Decimal
    price: Decimal
    fee_rate: Decimal
    is_fee_in_base: bool
    multiple: int
    reason: str
    note: str | None = None

    @property
    def notional(self) -> Decimal:
        """Amount times price, in the quote."""
        return self.amount * self.price

    @property
    def fee(self) -> Decimal:
        """In the quote, whichever currency it is taken in."""
        return self.notional * self.fee_rate

    @property
    def cash_change(self) -> Decimal:
        """What the cash grows by, in the quote; negative for a purchase."""
        if self.side == "sell":
            return self.notional - self.fee
        return -self.notional if self.is_fee_in_base else -self.notional - self.fee

    @property
    def units_change(self) -> Decimal:
        """What the holding grows by, in tokens; negative for a sale."""
        if self.side == "sell":
            return -self.amount * self.multiple
        received = self.amount * (1 - self.fee_rate) if self.is_fee_in_base else self.amount
        return received * self.multiple


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """What is not traded though a weight is off, and why; `value` is what is missing (above 0) or too much, in the quote."""

    token_id: str
    symbol: str
    market_id: str | None
    value: Decimal
    reason: str


@dataclass(frozen=True, kw_only=True)
class Reached:
    """One token after the orders: tokens held, what they are worth, the weight wanted and the weight reached."""

    token_id: str
    symbol: str
    units: Decimal
    value: Decimal
    target_weight: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class OrderPlan:
    """Orders and what they lead to, values in the quote.

    Attributes:
        orders: Sales first, each side by falling notional.
        skipped: What is not traded and why.
        reached: Every token held or wanted, by falling target weight.
        cash_before: Cash at hand.
        cash_after: Cash left, never negative.
        cash_target_weight: Fraction of the portfolio the index holds in the quote currency itself.
        worth_before: Cash and holdings before.
        worth_after: The same after fees and half spreads.
    """

    orders: tuple[Order, ...]
    skipped: tuple[Skipped, ...]
    reached: tuple[Reached, ...]
    cash_before: Decimal
    cash_after: Decimal
    cash_target_weight: float
    worth_before: Decimal
    worth_after: Decimal

    @property
    def fees(self) -> Decimal:
        """Fees of all orders."""
        return sum((order.fee for order in self.orders), NOTHING)

    @property
    def largest_difference(self) -> float:
        """Largest distance between the weight of a token, or of cash, and its target."""
        cash = float(self.cash_after / self.worth_after) if self.worth_after else 0.0
        differences = [abs(each.weight - each.target_weight) for each in self.reached]
        return max([*differences, abs(cash - self.cash_target_weight)])


@dataclass(frozen=True, kw_only=True)
class PlanRules:
    """Choices of the user.

    Attributes:
        fee_kind: Taker for orders that trade at once, maker for orders that rest in the book.
        is_missing_spread: Whether the weight of tokens that cannot be traded goes to the others instead of cash.
    """

    fee_kind: FeeKind = "taker"
    is_missing_spread: bool = False


DEFAULT_RULES: Final = PlanRules()


@dataclass(frozen=True)
class _Targets:
    """Value each tradable token is to have, and the cash to keep, in the quote."""

    value: Mapping[str, Decimal]
    cash: Decimal


def plan_orders(
    lines: Sequence[Line], *, cash: Decimal, cash_weight: float = 0.0, rules: PlanRules = DEFAULT_RULES
) -> OrderPlan:
    """Plan the orders from present holdings to target weights.

    Args:
        lines: Every token that is held or has a target weight, once; the quote currency itself is none of them.
        cash: Quote currency at hand, what is held of it included.
        cash_weight: Fraction that the index holds in the quote currency itself (a stablecoin it is rotated into).
        rules: Choices of the user.

    Raises:
        OrderDataError: Weights are negative or sum to more than 1, an amount or price is negative or none, a token is there
            twice, or there is nothing to plan with.
    """
    _check(lines, cash, cash_weight)
    planned: list[Order] = []
    first_skipped: dict[str, Skipped] = {}
    left_out: set[str] = set()
    for _ in range(ROUNDS):
        now, money = apply_orders(lines, cash, planned)
        orders, skipped = _plan_once(now, money, cash_weight, rules)
        left_out = {each.token_id for each in skipped}
        first_skipped = {each.token_id: each for each in skipped} | first_skipped
        sides = {order.token_id: order.side for order in planned}
        more = [order for order in orders if sides.get(order.token_id, order.side) == order.side]
        if not more:
            break
        planned = _joined(planned, more, lines)
    ordered = {order.token_id for order in planned}
    after, cash_after = apply_orders(lines, cash, planned)
    worth = _worth(after, cash_after)
    before = {line.token_id: line for line in lines}
    worth_before = _worth(lines, cash)
    final = [
        replace(
            order,
            reason=_reason(before[order.token_id], worth_before),
            note=_note(order, before[order.token_id].match.rules),
        )
        for order in planned
    ]
    return OrderPlan(
        orders=tuple(sorted(final, key=lambda each: (each.side != "sell", -each.notional, each.token_id))),
        skipped=(
            *(each for name, each in first_skipped.items() if name in left_out - ordered),
            *_remainders(after, ordered),
        ),
        reached=_reached(after, worth),
        cash_before=cash,
        cash_after=cash_after,
        cash_target_weight=cash_weight,
        worth_before=worth_before,
        worth_after=worth,
    )


def apply_orders(lines: Sequence[Line], cash: Decimal, orders: Sequence[Order]) -> tuple[list[Line], Decimal]:
    """Holdings and cash once all orders are filled at their prices.

    Returns:
        The lines with the units then held, in their order, and the cash then left.
    """
    changes: dict[str, Decimal] = {}
    for order in orders:
        changes[order.token_id] = changes.get(order.token_id, NOTHING) + order.units_change
    held = [replace(line, units=line.units + changes.get(line.token_id, NOTHING)) for line in lines]
    return held, cash + sum((order.cash_change for order in orders), NOTHING)


def _plan_once(
    lines: Sequence[Line], cash: Decimal, cash_weight: float, rules: PlanRules
) -> tuple[list[Order], list[Skipped]]:
    """One pass, with targets of what is left after its own costs."""
    worth, cost = _worth(lines, cash), NOTHING
    orders: list[Order] = []
    skipped: list[Skipped] = []
    for _ in range(COST_STEPS):
        targets = _targets(lines, worth - cost, cash_weight, rules)
        orders, skipped = _orders_towards(lines, cash, targets, rules)
        found = worth - _worth(*apply_orders(lines, cash, orders))
        if abs(found - cost) <= worth * SPARE:
            break
        cost = found
    return orders, skipped


def _targets(lines: Sequence[Line], worth: Decimal, cash_weight: float, rules: PlanRules) -> _Targets:
    stuck = {line.token_id: line.units * line.price for line in lines if not line.is_tradable}
    weights = {line.token_id: Decimal(str(line.target_weight)) for line in lines}
    tradable = [line.token_id for line in lines if line.is_tradable]
    kept = Decimal(str(cash_weight))
    if not rules.is_missing_spread:
        # What the index holds of tokens that cannot be traded waits as cash, less what is held of them.
        waiting = sum((max(weights[name] * worth - value, NOTHING) for name, value in stuck.items()), NOTHING)
        return _Targets({name: weights[name] * worth for name in tradable}, kept * worth + waiting)
    whole = sum((weights[name] for name in tradable), kept)
    free = max(worth - sum(stuck.values(), NOTHING), NOTHING)
    scale = free / whole if whole else NOTHING
    return _Targets({name: weights[name] * scale for name in tradable}, kept * scale if whole else free)


def _orders_towards(
    lines: Sequence[Line], cash: Decimal, targets: _Targets, rules: PlanRules
) -> tuple[list[Order], list[Skipped]]:
    sales: list[Order] = []
    wanted: list[tuple[Line, Order]] = []
    skipped: list[Skipped] = []
    worth = _worth(lines, cash)
    for line in lines:
        held = line.units * line.price
        if not line.is_tradable:
            off = Decimal(str(line.target_weight)) * worth - held
            skipped.append(_skip(line, off, str(line.match.problem)))
            continue
        market, quote = _market_of(line)
        target = targets.value[line.token_id]
        excess = (held - target) / quote.mid
        # A hundredth of the larger of the two, and a step: smaller differences are left.
        left_alone = market.step(max(held, target) / quote.mid) + POSITION_TOLERANCE * max(held, target) / quote.mid
        if (line.target_weight == 0 and line.units > 0) or excess > left_alone:
            amount = market.round_down(line.units / line.match.multiple if line.target_weight == 0 else excess)
            order = _order(line, "sell", amount, quote.bid, rules)
            if problem := market.shortfall(amount, quote.bid):
                word = "dust: " if line.target_weight == 0 else ""
                skipped.append(_skip(line, target - held, word + problem))
            else:
                sales.append(order)
        elif -excess > left_alone:
            fee = market.fee(rules.fee_kind)
            gross = -excess / (1 - fee) if market.is_fee_in_base else -excess
            wanted.append((line, _order(line, "buy", gross, quote.ask, rules)))
    budget = cash + sum((sale.cash_change for sale in sales), NOTHING)
    purchases, too_small = _purchases(wanted, max(budget - targets.cash, NOTHING))
    return [*sales, *purchases], [*skipped, *too_small]


def _purchases(wanted: Sequence[tuple[Line, Order]], money: Decimal) -> tuple[list[Order], list[Skipped]]:
    """Purchases that the money suffices for: all shrink by one factor, and the smallest that then is below a minimum is left out.

    Leaving out one at a time lets the money of one reach the minimum of the next.
    """
    skipped = []
    candidates = []
    for line, order in wanted:
        market, quote = _market_of(line)
        if problem := market.shortfall(market.round_down(order.amount), quote.ask):
            skipped.append(_skip(line, order.notional, problem))
        else:
            candidates.append((line, order))
    while candidates:
        share = min(Decimal(1), money / -sum((order.cash_change for _, order in candidates), NOTHING)) * (1 - SPARE)
        made = []
        failed = []
        for line, order in candidates:
            market, quote = _market_of(line)
            amount = market.round_down(order.amount * share)
            if problem := market.shortfall(amount, quote.ask):
                failed.append((order.notional, line, problem))
            else:
                made.append(replace(order, amount=amount))
        if not failed:
            return made, skipped
        notional, smallest, problem = min(failed, key=lambda each: (each[0], each[1].token_id))
        skipped.append(_skip(smallest, notional, f"the money does not suffice: {problem}"))
        candidates = [(line, order) for line, order in candidates if line.token_id != smallest.token_id]
    return [], skipped


def _joined(planned: Sequence[Order], more: Sequence[Order], lines: Sequence[Line]) -> list[Order]:
    """Orders of a later round put together with those for the same token, where the market takes the sum as one amount."""
    markets = {line.token_id: line.match.rules for line in lines}
    joined = list(planned)
    for order in more:
        market = markets[order.token_id]
        for position, known in enumerate(joined):
            total = known.amount + order.amount
            if known.token_id == order.token_id and market is not None and market.round_down(total) == total:
                joined[position] = replace(known, amount=total)
                break
        else:
            joined.append(order)
    return joined


def _order(line: Line, side: Side, amount: Decimal, price: Decimal, rules: PlanRules) -> Order:
    market, _ = _market_of(line)
    return Order(
        token_id=line.token_id,
        symbol=line.symbol,
        market_id=market.market_id,
        side=side,
        amount=amount,
        price=price,
        fee_rate=market.fee(rules.fee_kind),
        is_fee_in_base=market.is_fee_in_base,
        multiple=line.match.multiple,
        reason="",
    )


def _market_of(line: Line) -> tuple[MarketRules, Quote]:
    market, quote = line.match.rules, line.match.quote
    if market is None or quote is None:
        raise OrderDataError(f"{line.token_id} has no market or no quote, but its match names no problem")
    return market, quote


def _skip(line: Line, value: Decimal, reason: str) -> Skipped:
    market = line.match.rules
    return Skipped(
        token_id=line.token_id,
        symbol=line.symbol,
        market_id=None if market is None else market.market_id,
        value=value,
        reason=reason,
    )


def _remainders(after: Sequence[Line], ordered: Set[str]) -> list[Skipped]:
    """What is left of tokens that are sold whole: less than a step."""
    return [
        _skip(line, -line.units * line.price, f"dust: {line.units:f} {line.symbol.upper()} is less than one step")
        for line in after
        if line.target_weight == 0 and line.units > 0 and line.token_id in ordered
    ]


def _reason(line: Line, worth: Decimal) -> str:
    """Why a token is traded, from its weight before."""
    held = float(line.units * line.price / worth) if worth else 0.0
    if line.target_weight == 0:
        return f"not in the index; {held:.2%} held"
    if line.units == 0:
        return f"enters at {line.target_weight:.2%}"
    return f"{held:.2%} held, {line.target_weight:.2%} wanted"


def _note(order: Order, market: MarketRules | None) -> str | None:
    if market is None or market.largest_amount is None or order.amount <= Decimal(str(market.largest_amount)):
        return None
    return f"above the venue's largest order of {market.largest_amount:g} {market.base}: place it in parts"


def _worth(lines: Sequence[Line], cash: Decimal) -> Decimal:
    return cash + sum((line.units * line.price for line in lines), NOTHING)


def _reached(lines: Sequence[Line], worth: Decimal) -> tuple[Reached, ...]:
    rows = [
        Reached(
            token_id=line.token_id,
            symbol=line.symbol,
            units=line.units,
            value=line.units * line.price,
            target_weight=line.target_weight,
            weight=float(line.units * line.price / worth) if worth else 0.0,
        )
        for line in lines
        if line.units > 0 or line.target_weight > 0
    ]
    return tuple(sorted(rows, key=lambda each: (-each.target_weight, -each.value, each.token_id)))


def _check(lines: Sequence[Line], cash: Decimal, cash_weight: float) -> None:
    names = [line.token_id for line in lines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OrderDataError(f"{', '.join(twice)} is there more than once; add its holdings up in one line")
    for line in lines:
        if not 0 <= line.target_weight <= 1:
            raise OrderDataError(
                f"{line.token_id}: target_weight is {line.target_weight}; a fraction from 0 to 1 is needed"
            )
        if not line.units.is_finite() or line.units < 0:
            raise OrderDataError(f"{line.token_id}: {line.units} units are held; 0 or more are needed")
        quote = line.match.quote
        if quote is not None and not NOTHING < quote.bid <= quote.ask:
            raise OrderDataError(f"{line.token_id}: bid {quote.bid} and ask {quote.ask} are no prices of a market")
    total = sum(line.target_weight for line in lines) + cash_weight
    if cash_weight < 0 or total > 1 + 1e-6:
        raise OrderDataError(f"target weights sum to {total:.6f} with {cash_weight:g} in cash; at most 1 is needed")
    if not cash.is_finite() or cash < 0:
        raise OrderDataError(f"cash is {cash}; 0 or more is needed")
    if _worth(lines, cash) <= 0:
        raise OrderDataError(
            "there is nothing to plan with: no cash and no holding with a price; give CAPITAL or HOLDINGS"
        )
