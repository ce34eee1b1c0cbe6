"""Numbers in an answer that would cost ccxt far more than they are long.

ccxt writes a precision of n places as a text of n zeros, and raises ten to the exponent of a number that it computes with: ten bytes of
an answer become gigabytes.

Belongs here: what such numbers look like, and keeping them from ccxt. Does not: the length of an answer (`capped.py`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final

from orchestration.sources.errors import UnexpectedBodyError

LOGGER = logging.getLogger(__name__)

MOST_PLACES: Final = 100
"""Of a price or an amount, before or behind the point; tokens have up to 18."""
_EXPONENT: Final = re.compile(r"[eE][+-]?0*[1-9]\d{3}")
"""What may be one: a third of the time, and it is in few answers."""
_FAR_EXPONENT: Final = re.compile(r'[\[:,]\s*"?[+-]?[\d.]+[eE][+-]?0*[1-9]\d{3,}"?\s*[\],}]')
"""A value with an exponent of a thousand or more: no double reaches 400."""


def refuse_far_exponents(body: str) -> None:
    """Look for a number, as a number or as text, whose exponent no price has.

    Args:
        body: An answer in JSON.

    Raises:
        UnexpectedBodyError: There is one.
    """
    if _EXPONENT.search(body) and (found := _FAR_EXPONENT.search(body)):
        raise UnexpectedBodyError(f"the answer holds a number beyond all bounds: {found[0][:80]}")


def bound_precisions(client: Any) -> None:
    """Let a ccxt client take a precision that no price or amount has for none, which costs that market its orders and no other anything.

    Args:
        client: A client of `ccxt.async_support`.
    """
    written: Callable[[str | None], str | None] = client.parse_precision

    def parse_bounded(precision: str | None) -> str | None:
        if precision is not None and abs(int(precision)) > MOST_PLACES:
            LOGGER.warning("%s: a market of %.80s decimal places, more than %d", client.id, precision, MOST_PLACES)
            return None
        return written(precision)

    client.parse_precision = parse_bounded
