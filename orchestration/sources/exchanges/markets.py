"""Spot markets of a venue.

Belongs here: which markets a venue lists in dollars or stablecoins. Does not: which of them are followed
(`orchestration/lib/loads/exchange_plan.py`).

Markets that no longer trade are kept where the venue still lists them: without them every history would consist of survivors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.client import VenueClient
from orchestration.sources.exchanges.venues import Venue
from orchestration.sources.exchanges.wire import records_seen

UNREAD_SHARE: Final = 0.05
"""Entries of a list that ccxt may leave out without our speaking of it: some venues list the odd pair that is no market."""


@dataclass(frozen=True, slots=True)
class Market:
    """A spot market: unified name (BTC/USDT), the exchange's own name (BTCUSDT), ticker, quote, whether it trades."""

    market_id: str
    wire_id: str
    symbol: str
    quote: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class MarketList:
    """Markets of a venue, ordered by name, those that stopped trading included.

    Attributes:
        markets: Spot markets in the venue's dollar quotes.
        unread: Why the list may lack some: ccxt leaves out entries that it cannot read; None where it lacks next to nothing.
    """

    markets: list[Market]
    unread: str | None


async def fetch_market_list(client: VenueClient) -> MarketList:
    """List the spot markets.

    Raises:
        SourceError: See `errors.py`.
    """

    def read(table: Any) -> MarketList:
        markets = parse_markets(table, venue=client.venue)
        records, read = records_seen(), len(table)
        is_short = read < (1.0 - UNREAD_SHARE) * records
        return MarketList(markets, f"{records - read} of {records} entries cannot be read" if is_short else None)

    # Reload, because ccxt keeps what an earlier attempt understood of a broken answer.
    return await client.ask(
        lambda ccxt: ccxt.load_markets(True), read, what="list of markets", cost=client.venue.markets_cost
    )


async def fetch_markets(client: VenueClient) -> list[Market]:
    """The markets of `fetch_market_list` alone.

    Raises:
        SourceError: See `errors.py`.
    """
    return (await fetch_market_list(client)).markets


def parse_markets(table: Any, *, venue: Venue) -> list[Market]:
    """Pick spot markets in the wanted quotes out of ccxt's table of markets, ordered by name.

    Raises:
        UnexpectedBodyError: It is no table, or holds nothing: what ccxt makes of HTML or cut-off JSON under 200.
    """
    if not isinstance(table, Mapping) or not table:
        raise UnexpectedBodyError(
            f"the table of markets is empty or a {type(table).__name__}; an HTML page or a cut-off body"
        )
    found = [
        Market(
            market_id=entry["symbol"],
            wire_id=entry["id"],
            symbol=str(entry["base"]).upper(),
            quote=entry["quote"],
            is_active=entry.get("active") is not False,
        )
        for entry in table.values()
        if entry.get("spot") and entry.get("quote") in venue.quotes
    ]
    return sorted(found, key=lambda market: market.market_id)
