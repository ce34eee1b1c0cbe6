"""What a venue takes as an order in one of its spot markets, read from ccxt's table of markets.

Belongs here: steps, minimums and fees of a market, rounding an amount down to what the market takes.
Does not: which token a market trades (`matching.py`), what is ordered (`plan.py`), fetching (`orchestration/sources/exchanges`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from models_ml.orders.errors import MarketRulesError

FeeKind = Literal["taker", "maker"]

DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE = 2, 3, 4
"""ccxt's precision modes: what `precision.amount` counts."""

UNSTATED_FEE = 0.002
"""Fraction taken where a market states no fee: above what the large venues charge small accounts, so that cash suffices."""

STEPS, DIGITS = (1e-30, 1e15), (-15.0, 30.0)
"""What a step of amounts, and a count of places or digits, can be."""

LEAST_NOTIONAL = Decimal("0.01")
"""A cent: no order is made for less, where a venue states no minimum either."""


@dataclass(frozen=True, kw_only=True)
class MarketRules:
    """One spot market of a venue; amounts are in its base, notionals in its quote.

    Attributes:
        market_id: Unified name, `SOL/USDT`.
        base: Ticker before the slash, upper case.
        quote: Currency after the slash.
        is_active: Whether the venue lets it trade.
        precision: `precision.amount` of ccxt; None where the venue states none.
        precision_mode: What it counts: decimal places, significant digits, or it is the step itself.
        smallest_amount: Least amount of an order, None where there is none.
        largest_amount: Greatest amount of an order, None where there is none.
        smallest_notional: Least amount times price, None where there is none.
        taker_fee: Fraction of the notional for an order that trades at once.
        maker_fee: Fraction for one that rests in the book; negative where the venue pays for it.
        is_fee_in_base: Whether the fee of a purchase is taken out of what was bought (ccxt's `feeSide` "get").
    """

    market_id: str
    base: str
    quote: str
    is_active: bool = True
    precision: float | None = 1e-8
    precision_mode: int = TICK_SIZE
    smallest_amount: float | None = None
    largest_amount: float | None = None
    smallest_notional: float | None = None
    taker_fee: float = 0.001
    maker_fee: float = 0.001
    is_fee_in_base: bool = False

    def fee(self, kind: FeeKind) -> Decimal:
        """The fee as an exact decimal."""
        return Decimal(str(self.taker_fee if kind == "taker" else self.maker_fee))

    def round_down(self, amount: Decimal) -> Decimal:
        """The largest amount that the market takes and that is not above `amount`; 0 where that is below one step.

        Rounding is ccxt's own (`decimal_to_precision`, TRUNCATE), so an order passes its check as it is.

        Raises:
            MarketRulesError: The venue states no precision.
        """
        from ccxt.base.decimal_to_precision import TRUNCATE, decimal_to_precision  # loads all of ccxt, half a second

        if self.precision is None:
            raise MarketRulesError(f"{self.market_id}: the venue states no step of amounts, so none can be rounded")
        if amount <= 0:
            return Decimal(0)
        precision = self.precision if self.precision_mode == TICK_SIZE else int(self.precision)
        text = decimal_to_precision(format(amount, "f"), TRUNCATE, precision, self.precision_mode)
        return Decimal(text or "0")

    def step(self, amount: Decimal) -> Decimal:
        """Distance between amounts the market takes, about `amount`.

        Raises:
            MarketRulesError: The venue states no precision.
        """
        if self.precision is None:
            raise MarketRulesError(f"{self.market_id}: the venue states no step of amounts")
        if self.precision_mode == TICK_SIZE:
            return self._tick
        if self.precision_mode == DECIMAL_PLACES:
            return Decimal(10) ** -int(self.precision)
        return Decimal(10) ** (amount.adjusted() - int(self.precision) + 1 if amount else 0)

    def shortfall(self, amount: Decimal, price: Decimal) -> str | None:
        """Why an order of so much is too small for the venue, None where it is not."""
        if amount <= 0:
            return f"less than one step of {self.step(amount):f} {self.base}"
        if self.smallest_amount is not None and amount < Decimal(str(self.smallest_amount)):
            return f"{amount:f} {self.base} is below the smallest order of {Decimal(str(self.smallest_amount)):f} {self.base}"
        notional = amount * price
        if self.smallest_notional is not None and notional < Decimal(str(self.smallest_notional)):
            return f"{notional:.2f} {self.quote} is below the smallest order of {self.smallest_notional:g} {self.quote}"
        if notional < LEAST_NOTIONAL:
            return f"worth less than a cent ({notional:.2g} {self.quote})"
        return None

    @cached_property
    def _tick(self) -> Decimal:
        return Decimal(str(self.precision))


def read_market_rules(table: Any, *, quote: str, precision_mode: int = TICK_SIZE) -> dict[str, MarketRules]:
    """Rules of the spot markets in one quote, from ccxt's table of markets.

    Args:
        table: What `load_markets()` gives: entries by unified name, or the same read from JSON.
        quote: Currency that is paid with.
        precision_mode: `precisionMode` of the exchange in ccxt; all venues of this project have TICK_SIZE.

    Returns:
        Rules by unified name, in its order. Empty where the venue has no such market.

    Raises:
        MarketRulesError: It is no such table, or an entry has a value that is no number.
    """
    if not isinstance(table, Mapping) or not all(isinstance(entry, Mapping) for entry in table.values()):
        raise MarketRulesError(
            "the table of markets is no object of markets by name; save what ccxt's load_markets() gives"
        )
    if precision_mode not in (DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE):
        raise MarketRulesError(f"precision_mode is {precision_mode}; ccxt has 2, 3 and 4")
    found = [
        _read_entry(entry, precision_mode)
        for entry in table.values()
        if entry.get("spot") and entry.get("quote") == quote and entry.get("base")
    ]
    return {rules.market_id: rules for rules in sorted(found, key=lambda rules: rules.market_id)}


def _read_entry(entry: Mapping[str, Any], precision_mode: int) -> MarketRules:
    name = str(entry.get("symbol"))
    limits = _part(name, entry, "limits")
    amount, cost = _part(name, limits, "amount"), _part(name, limits, "cost")
    precision = _number(name, "precision.amount", _part(name, entry, "precision").get("amount"))
    is_step = precision is not None and (precision > 0 or precision_mode != TICK_SIZE)
    least, most = STEPS if precision_mode == TICK_SIZE else DIGITS
    if is_step and precision is not None and not least <= precision <= most:
        raise MarketRulesError(
            f"{name}: precision.amount is {precision:g}, beyond {least:g} to {most:g}; load the markets again"
        )
    taker, maker = (_number(name, kind, entry.get(kind)) for kind in ("taker", "maker"))
    return MarketRules(
        market_id=name,
        base=str(entry["base"]).upper(),
        quote=str(entry["quote"]),
        is_active=entry.get("active") is not False,
        precision=precision if is_step else None,
        precision_mode=precision_mode,
        smallest_amount=_number(name, "limits.amount.min", amount.get("min")),
        largest_amount=_number(name, "limits.amount.max", amount.get("max")) or None,
        smallest_notional=_number(name, "limits.cost.min", cost.get("min")),
        taker_fee=UNSTATED_FEE if taker is None else taker,
        maker_fee=UNSTATED_FEE if maker is None else maker,
        is_fee_in_base=entry.get("feeSide") == "get",
    )


def _part(market: str, entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name) or {}
    if not isinstance(part, Mapping):
        raise MarketRulesError(f"{market:.80}: {name} is {part!r:.80}, no object; load the markets again")
    return part


def _number(market: str, field: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise MarketRulesError(f"{market:.80}: {field} is {value!r:.80}, no number; load the markets again")
    return number
