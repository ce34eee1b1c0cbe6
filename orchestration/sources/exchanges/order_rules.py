"""What a venue asks of an order now: steps, minimums and fees of its spot markets, and their best prices.

Belongs here: fetching both through ccxt, and the file they are kept in. Does not: what they mean for an order
(`models_ml/orders`), the markets that are landed (`markets.py`).

The file has ccxt's own fields, so a table saved with `json.dump(exchange.load_markets(), file)` is read as well; it has no
prices then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from models_ml.orders.market_rules import TICK_SIZE
from models_ml.orders.matching import Quote
from orchestration.lib.errors import TidemarkError
from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.client import VenueClient
from orchestration.sources.exchanges.quotes import spare_bad_tickers
from orchestration.sources.json_text import read_json

KEPT_FIELDS: Final = (
    *("id", "symbol", "base", "quote", "spot", "active", "taker", "maker", "feeSide", "precision", "limits"),
)

LEAST_PRICE, LARGEST_PRICE = Decimal("1e-30"), Decimal("1e15")
"""Beyond them a price is a mistake, and its exact arithmetic has no end."""


@dataclass(frozen=True)
class VenueState:
    """A venue at an instant.

    Attributes:
        venue: Its name.
        asked_at: When it was asked; None where a file does not say.
        precision_mode: What `precision` counts, in ccxt's numbers.
        markets: Spot markets by unified name, entries of ccxt with the fields that orders need.
        quotes: Best prices by unified name; markets without any are missing.
    """

    venue: str
    asked_at: datetime | None
    precision_mode: int
    markets: Mapping[str, Mapping[str, Any]]
    quotes: Mapping[str, Quote]

    def save(self, path: Path) -> None:
        """Write it as JSON that `load` reads."""
        content = {
            "venue": self.venue,
            "asked_at": None if self.asked_at is None else self.asked_at.isoformat(),
            "precision_mode": self.precision_mode,
            "markets": self.markets,
            "quotes": {name: [str(quote.bid), str(quote.ask)] for name, quote in self.quotes.items()},
        }
        path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path, *, venue: str) -> VenueState:
        """Read what `save` wrote, or a table of ccxt's `load_markets()`.

        Raises:
            TidemarkError: There is no such file, it is no JSON, it is of another venue, or prices in it are none.
        """
        try:
            content = read_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TidemarkError(
                f"MARKETS={path} cannot be read ({error}); give a JSON file of load_markets()"
            ) from None
        if not isinstance(content, dict) or not content:
            raise TidemarkError(f"MARKETS={path} holds no markets; save what ccxt's load_markets() gives")
        if "precision_mode" not in content:
            return cls(venue, None, TICK_SIZE, content, {})
        if content.get("venue") != venue:
            raise TidemarkError(
                f"MARKETS={path} is of {content.get('venue')!s:.80}, but VENUE={venue}; give the file of that venue"
            )
        try:
            quotes = {name: _quote(name, *both) for name, both in (content.get("quotes") or {}).items()}
            asked_at = content.get("asked_at")
            return cls(
                venue,
                None if asked_at is None else datetime.fromisoformat(asked_at),
                int(content["precision_mode"]),
                content["markets"],
                quotes,
            )
        except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError, OverflowError) as error:
            raise TidemarkError(f"MARKETS={path} is damaged ({error!r:.200}); save it again") from None


async def fetch_venue_state(client: VenueClient, *, now: datetime) -> VenueState:
    """Ask a venue for its markets and all prices, two requests.

    Raises:
        SourceError: See `errors.py`.
    """
    # Reload, because ccxt keeps what an earlier attempt understood of a broken answer.
    markets = await client.ask(
        lambda ccxt: ccxt.load_markets(True), _read_markets, what="list of markets", cost=client.venue.markets_cost
    )
    spare_bad_tickers(client.client)
    quotes = await client.ask(
        lambda ccxt: ccxt.fetch_tickers(), read_quotes, what="all tickers", cost=client.venue.tickers_cost
    )
    return VenueState(client.venue.name, now, int(client.client.precisionMode), markets, quotes)


def _read_markets(table: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(table, Mapping) or not table:
        raise UnexpectedBodyError(f"the table of markets is empty or a {type(table).__name__}")
    return {
        name: {field: entry.get(field) for field in KEPT_FIELDS}
        for name, entry in sorted(table.items())
        if entry.get("spot")
    }


def read_quotes(tickers: Any) -> dict[str, Quote]:
    """Best prices from ccxt's tickers: bid and ask; the last price for both where a venue's tickers have no bid or ask.

    Raises:
        UnexpectedBodyError: They are no table, or an empty one.
    """
    if not isinstance(tickers, Mapping) or not tickers:
        raise UnexpectedBodyError(f"the table of tickers is empty or a {type(tickers).__name__}")
    quotes = {}
    for name, ticker in tickers.items():
        bid, ask, last = (_price(ticker.get(field)) for field in ("bid", "ask", "last"))
        if bid is not None and ask is not None and bid <= ask:
            quotes[name] = Quote(bid, ask)
        elif last is not None:
            quotes[name] = Quote(last, last)
    return quotes


def _price(value: Any) -> Decimal | None:
    """A price as the exact decimal that ccxt gives, None where it is none."""
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        return None
    return price if price.is_finite() and LEAST_PRICE <= price <= LARGEST_PRICE else None


def _quote(name: str, bid: Any, ask: Any) -> Quote:
    """Best prices of a file.

    Raises:
        ValueError: One is no price, or they are crossed.
    """
    lower, upper = _price(bid), _price(ask)
    if lower is None or upper is None or lower > upper:
        raise ValueError(f"the quotes of {name:.80} are {bid!r:.40} and {ask!r:.40}")
    return Quote(lower, upper)
