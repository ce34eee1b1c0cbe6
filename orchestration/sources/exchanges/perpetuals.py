"""What a perpetual is to us.

Belongs here: the types. Does not: where they come from (`derivative_formats.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

THOUSANDS: Final = re.compile(r"^(1000000|100000|10000|1000|1M)(?=[A-Z])")
"""Cheap tokens trade by the thousand or million: 1000PEPE."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One funding payment: when, in unix milliseconds, and at which fraction of the position."""

    at_ms: int
    rate: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open at an instant, in USD and in tokens; one of them may be unknown."""

    at_ms: int
    usd: float | None
    tokens: float | None


@dataclass(frozen=True, slots=True)
class Perpetual:
    """A perpetual future.

    Attributes:
        market_id: As ccxt names it, BTC/USDT:USDT.
        wire_id: The exchange's own name.
        symbol: Ticker of the token, upper case; PEPE for a contract on 1000PEPE.
        tokens_per_contract: Tokens in what the exchange counts.
        standing: What is open now, where the list says so.
    """

    market_id: str
    wire_id: str
    symbol: str
    tokens_per_contract: float
    standing: Standing | None = None


def token_of(base: str) -> tuple[str, int]:
    """The token behind a contract's base, and how many of it make one: `1000PEPE` is a thousand PEPE."""
    multiple = THOUSANDS.match(base)
    if multiple is None:
        return base, 1
    return base[multiple.end() :], 1_000_000 if multiple[1] == "1M" else int(multiple[1])
