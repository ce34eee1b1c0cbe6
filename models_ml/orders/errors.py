"""Exceptions of the orders package.

OrdersError
├── OrderDataError    an amount, a weight or a price handed in is none
└── MarketRulesError  a venue's table of markets cannot be read

Belongs here: the tree. A token that cannot be traded is no error: the plan lists it with the reason.
"""

from __future__ import annotations


class OrdersError(Exception):
    """Root of everything this package raises on purpose."""


class OrderDataError(OrdersError, ValueError):
    """What was handed in to plan with is not of the shape that is needed."""


class MarketRulesError(OrdersError, ValueError):
    """A table of markets is not what ccxt's `load_markets` gives."""
