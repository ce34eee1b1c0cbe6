"""The venues: how each exchange is named in ccxt, at which hosts it answers, and what its requests cost.

Belongs here: facts about a venue that several modules need. Does not: candle columns (`candle_formats.py`), perpetuals
(`derivatives.py`), whether a venue is asked (`orchestration/settings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestration.sources.datasets import Dataset, find_dataset

SPOT_ONLY: Final[Mapping[str, Any]] = {"fetchMarkets": {"types": ["spot"]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """One exchange.

    Attributes:
        name: Source of its datasets and field of the settings.
        ccxt_id: Its class in ccxt.
        host: Its main host in ccxt's addresses, the one that `base_url` of the settings stands for.
        mirror: Host that serves the same spot data where the main one refuses a country.
        quotes: Quote currencies worth about a dollar, the most traded first.
        options: Options of ccxt; without them it would list futures and options too.
        book_levels: Levels of an order book to ask for; None for all there are.
        markets_cost: What the list of markets costs, in units of the least interval between two requests.
        tickers_cost: What all tickers cost.
        book_cost: What an order book costs.
        has_ticker_volume: Whether its tickers tell the volume; where they do not, the candles do.
    """

    name: str
    ccxt_id: str
    host: str
    mirror: str | None = None
    quotes: tuple[str, ...] = ("USDT", "USD")
    options: Mapping[str, Any] = field(default_factory=dict)
    book_levels: int | None = None
    markets_cost: float = 1.0
    tickers_cost: float = 1.0
    book_cost: float = 1.0
    has_ticker_volume: bool = True

    def dataset(self, name: str) -> Dataset:
        """One of its datasets, `candles_daily` for instance."""
        return find_dataset(self.name, name)


_LISTED: Final = (
    # Weights of Binance: 6,000 a minute, 5 in the 50 ms between two requests; a list 20, all tickers 80, 1,000 levels 50.
    Venue(
        name="binance",
        ccxt_id="binance",
        host="api.binance.com",
        mirror="data-api.binance.vision",
        options=SPOT_ONLY,
        book_levels=1000,
        markets_cost=4.0,
        tickers_cost=16.0,
        book_cost=10.0,
    ),
    # Books of more than 400 levels come from an address of its own, half as often.
    Venue(name="okx", ccxt_id="okx", host="www.okx.com", options=SPOT_ONLY, book_levels=5000, book_cost=2.0),
    Venue(
        name="coinbase",
        ccxt_id="coinbaseexchange",
        host="api.exchange.coinbase.com",
        quotes=("USD", "USDT"),
        has_ticker_volume=False,
    ),
    Venue(
        name="kucoin",
        ccxt_id="kucoin",
        host="api.kucoin.com",
        options={"fetchMarkets": {"types": ["spot"], "fetchTickersFees": False}},
        book_levels=100,
        tickers_cost=3.0,
    ),
    # The list of markets is two requests at once.
    Venue(name="gate", ccxt_id="gate", host="api.gateio.ws", options=SPOT_ONLY, book_levels=1000, markets_cost=2.0),
    Venue(name="kraken", ccxt_id="kraken", host="api.kraken.com", quotes=("USD", "USDT"), book_levels=500),
    # ccxt would keep the list for a second, a broken one too.
    Venue(
        name="bitstamp",
        ccxt_id="bitstamp",
        host="www.bitstamp.net",
        quotes=("USD", "USDT"),
        options={"fetchMarkets": {"expires": -1}},
    ),
)

VENUES: Final[Mapping[str, Venue]] = {venue.name: venue for venue in _LISTED}
"""All venues by name."""
