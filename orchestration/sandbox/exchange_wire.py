"""What the exchanges' route modules have in common: reading parameters, writing numbers.

Belongs here: conversions that know no exchange. Does not: formats and errors of any one of them (`routes_*.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from orchestration.sandbox.clock import MILLISECONDS_A_DAY
from orchestration.sandbox.exchange_listings import Listing
from orchestration.sandbox.exchange_markets import ExchangeMarkets

SECONDS_A_DAY: Final = MILLISECONDS_A_DAY // 1000


class BadParameterError(Exception):
    """A parameter that the exchange cannot read; says which."""

    def __init__(self, name: str) -> None:
        """Keep the name."""
        super().__init__(name)
        self.name = name


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(content), status, headers=headers, media_type="application/json")


def whole_number(params: Mapping[str, str], name: str) -> int | None:
    """A parameter as a whole number, None where it is absent.

    Raises:
        BadParameterError: It is there and is no number.
    """
    text = params.get(name)
    if text is None or text == "":
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise BadParameterError(name) from None


def price_text(listing: Listing, price: float) -> str:
    """A price with the listing's digits."""
    return f"{price:.{listing.decimals}f}"


def tick_text(listing: Listing) -> str:
    """The smallest step of a listing's prices."""
    return f"{10.0**-listing.decimals:.{listing.decimals}f}"


def amount_text(amount: float) -> str:
    """An amount with eight digits after the point."""
    return f"{amount:.8f}"


def level_texts(listing: Listing, levels: NDArray[np.float64]) -> list[list[str]]:
    """Levels of a book as pairs of texts."""
    return [[price_text(listing, price), amount_text(amount)] for price, amount in levels.tolist()]


def iso_text(milliseconds: int) -> str:
    """An instant as ISO-8601 with milliseconds and `Z`."""
    instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def opens_of(markets: ExchangeMarkets, days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Instants at which days begin, milliseconds."""
    return np.asarray(markets.served.milliseconds_at(days), dtype=np.int64)
