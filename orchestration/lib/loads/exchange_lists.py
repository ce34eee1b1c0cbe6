"""What a run knows of the exchanges: their open connections, market lists and tickers, and the plan made from them.

Belongs here: reading every list once a run and remembering it, failures included, for the steps of all venues.
Does not: the choice of markets (`exchange_plan.py`), landing (`exchanges.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingestion, Reach
from orchestration.lib.landing import LandingStore, connect, newest_sql
from orchestration.lib.loads.exchange_plan import CandleWish, plan_books, plan_candles, plan_perpetuals, ticker_of
from orchestration.lib.loads.market_list import read_market_list
from orchestration.sources.datasets import Dataset
from orchestration.sources.datasets.exchanges import DERIVATIVES
from orchestration.sources.errors import SourceError
from orchestration.sources.exchanges.client import Venues, VenueSettings
from orchestration.sources.exchanges.derivatives import ListedPerpetuals, fetch_perpetuals
from orchestration.sources.exchanges.markets import Market, MarketList, fetch_market_list
from orchestration.sources.exchanges.perpetuals import Perpetual
from orchestration.sources.exchanges.quotes import fetch_tickers
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.validation import Fetched


@dataclass(frozen=True)
class Lists:
    """Lists of all venues as of one load.

    Attributes:
        markets: Markets by venue, in the order of the venues' word.
        tickers: Tickers by venue.
        down: Why a venue has no list of markets.
        without_tickers: Why a venue has no tickers.
        unread: Why a venue's list of markets may lack some.
    """

    markets: Mapping[str, list[Market]]
    tickers: Mapping[str, Fetched]
    down: Mapping[str, SourceError]
    without_tickers: Mapping[str, SourceError]
    unread: Mapping[str, str]

    def failures(self, venue: str) -> dict[str, str]:
        """What is to be said of a venue's list of markets besides that it came."""
        return {"(list of markets)": self.unread[venue]} if venue in self.unread else {}


@dataclass
class ExchangeRun:
    """The exchanges in one run.

    Attributes:
        connections: Of the run.
        venues: Open connections.
    """

    connections: Connections
    venues: Venues
    _lists: dict[date, Lists] = field(default_factory=dict)
    _candles: dict[tuple[date, str], dict[str, list[Market]]] = field(default_factory=dict)
    _turnovers: dict[date, dict[str, dict[str, float]]] = field(default_factory=dict)
    _books: dict[date, dict[str, list[Market]]] = field(default_factory=dict)
    _followed: dict[tuple[date, str], dict[str, list[Perpetual]]] = field(default_factory=dict)
    _perpetuals: dict[date, dict[str, ListedPerpetuals | SourceError]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Venues that are on, in the order of their word."""
        return [name for name in self.connections.settings.exchanges if self.connections.provider(name).enabled]

    def lists(self, reach: Reach) -> Lists:
        """Market lists and tickers of all venues, read in the first call for a day, all venues at once."""
        if reach.last not in self._lists:
            self._lists[reach.last] = self.venues.run(self._read(reach))
        return self._lists[reach.last]

    def candle_plan(self, ingestion: Ingestion, reach: Reach) -> Mapping[str, list[Market]]:
        """Markets to ask for candles, by venue, the same for all steps of a load."""
        key = (reach.last, reach.partition)
        if key not in self._candles:
            lists, store = self.lists(reach), ingestion.store
            landed = {
                name: store.newest_market_dates(VENUES[name].dataset("candles_daily"), by="market_id")
                for name in self.names
            }
            universe = [
                str(symbol).upper() for symbol in read_market_list(store)["symbol"].drop_nulls().to_list() if symbol
            ]
            most = self.connections.settings.live_universe
            wish = CandleWish(
                listed=lists.markets,
                landed=landed,
                universe=list(dict.fromkeys(universe))[:most],
                turnover=self.turnover_by_ticker(ingestion, reach),
                most=most,
                last=reach.last,
                fills_history=reach.partition == "year",
            )
            self._candles[key] = plan_candles(wish)
            planned = ", ".join(f"{name} {len(markets)}" for name, markets in self._candles[key].items())
            ingestion.report(f"candles: one venue a token: {planned}")
        return self._candles[key]

    def book_plan(self, ingestion: Ingestion, reach: Reach) -> Mapping[str, list[Market]]:
        """Markets whose order book is read, by venue; to be asked once the candles of `told_by_candles` have landed."""
        if reach.last not in self._books:
            turnover = dict(self._turnover(ingestion, reach))
            for venue in told_by_candles(self.names):
                turnover[venue] = _volumes(_last_landed(ingestion.store, VENUES[venue].dataset("candles_daily")))
            most = self.connections.settings.order_book_tokens
            self._books[reach.last] = plan_books(self.lists(reach).markets, turnover, most=most)
        return self._books[reach.last]

    def perpetuals(self, reach: Reach) -> Mapping[str, ListedPerpetuals | SourceError]:
        """Perpetuals of the venues that have any, or why there is no list, in the order of the venues' word."""
        if reach.last not in self._perpetuals:
            names = [name for name in self.names if name in DERIVATIVES]
            found = self.venues.run(self._read_perpetuals(names, reach))
            self._perpetuals[reach.last] = dict(zip(names, found, strict=True))
        return self._perpetuals[reach.last]

    def perpetual_plan(self, ingestion: Ingestion, reach: Reach) -> Mapping[str, list[Perpetual]]:
        """Perpetuals whose history is followed, by venue, the same for all steps of a load."""
        key = (reach.last, reach.partition)
        if key not in self._followed:
            found, store = self.perpetuals(reach), ingestion.store
            self._followed[key] = plan_perpetuals(
                {name: listed.found for name, listed in found.items() if isinstance(listed, ListedPerpetuals)},
                {
                    name: store.newest_market_dates(VENUES[name].dataset("funding_rates"), by="market_id")
                    for name in found
                },
                whole=[
                    name for name, listed in found.items() if isinstance(listed, ListedPerpetuals) and listed.is_whole
                ],
                tokens=self.followed_tokens(ingestion, reach),
                most=self.connections.settings.derivative_tokens,
                last=reach.last,
            )
        return self._followed[key]

    def followed_tokens(self, ingestion: Ingestion, reach: Reach) -> list[str]:
        """Tickers whose candles are followed, by turnover; perpetuals of others are not asked about."""
        turnover = self.turnover_by_ticker(ingestion, reach)
        tickers = {market.symbol for markets in self.candle_plan(ingestion, reach).values() for market in markets}
        return sorted(tickers, key=lambda ticker: (-turnover.get(ticker, 0.0), ticker))

    def turnover_by_ticker(self, ingestion: Ingestion, reach: Reach) -> dict[str, float]:
        """Turnover of 24 hours over all venues, USD, a stablecoin taken as a dollar."""
        found: dict[str, float] = {}
        for turnover in self._turnover(ingestion, reach).values():
            for market_id, traded in turnover.items():
                ticker = ticker_of(market_id)
                found[ticker] = found.get(ticker, 0.0) + traded
        return found

    def _turnover(self, ingestion: Ingestion, reach: Reach) -> dict[str, dict[str, float]]:
        """Turnover by venue and market; what today's tickers lack as it last landed, so that plans stay the same."""
        if reach.last not in self._turnovers:
            tickers = self.lists(reach).tickers
            found: dict[str, dict[str, float]] = {}
            for name in self.names:
                before = _volumes(_last_landed(ingestion.store, VENUES[name].dataset("tickers")))
                found[name] = before | (_volumes(tickers[name].frame) if name in tickers else {})
            self._turnovers[reach.last] = found
        return self._turnovers[reach.last]

    async def _read_perpetuals(self, names: Sequence[str], reach: Reach) -> list[ListedPerpetuals | SourceError]:
        async def one(name: str) -> ListedPerpetuals | SourceError:
            try:
                return await fetch_perpetuals(await self.venues.open(name), now=reach.now)
            except SourceError as error:
                return error

        return await asyncio.gather(*(one(name) for name in names))

    async def _read(self, reach: Reach) -> Lists:
        names = self.names
        answers = dict(zip(names, await asyncio.gather(*(self._read_one(name, reach) for name in names)), strict=True))
        listed = {name: got for name, (got, _) in answers.items() if isinstance(got, MarketList)}
        return Lists(
            markets={name: got.markets for name, got in listed.items()},
            tickers={name: got for name, (_, got) in answers.items() if isinstance(got, Fetched)},
            down={name: got for name, (got, _) in answers.items() if isinstance(got, SourceError)},
            without_tickers={name: got for name, (_, got) in answers.items() if isinstance(got, SourceError)},
            unread={name: got.unread for name, got in listed.items() if got.unread is not None},
        )

    async def _read_one(self, name: str, reach: Reach) -> tuple[MarketList | SourceError, Fetched | SourceError]:
        client = await self.venues.open(name)
        try:
            listed = await fetch_market_list(client)
        except SourceError as error:
            return error, error
        try:
            return listed, await fetch_tickers(client, listed.markets, now=reach.now)
        except SourceError as error:
            return listed, error


def told_by_candles(venues: Iterable[str]) -> list[str]:
    """Venues whose turnover stands in their candles and not in their tickers."""
    return [venue for venue in venues if not VENUES[venue].has_ticker_volume]


def _volumes(frame: pl.DataFrame) -> dict[str, float]:
    """Turnover by market of a frame that tells it, tickers or candles."""
    return dict(frame.select("market_id", "volume_quote").drop_nulls().iter_rows())


def _last_landed(store: LandingStore, dataset: Dataset) -> pl.DataFrame:
    """Rows of the newest landed day of a dataset, without reading the days before."""
    day = store.newest_market_date(dataset)
    if day is None:
        return dataset.empty()
    with connect() as connection:
        return connection.sql(newest_sql(dataset, store.files(dataset), where=f"WHERE market_date = DATE '{day}'")).pl()


def exchange_run(connections: Connections) -> ExchangeRun:
    """The exchanges of a run, opened in the first call and closed with its connections."""
    return connections.keep("exchanges", lambda: _open(connections))


@contextmanager
def _open(connections: Connections) -> Iterator[ExchangeRun]:
    venues = Venues(lambda name: venue_settings(connections, name))
    try:
        yield ExchangeRun(connections, venues)
    finally:
        venues.close()


def venue_settings(connections: Connections, name: str) -> VenueSettings:
    """How a run reaches a venue: its addresses, or the sandbox in their place; a sandbox needs no pace."""
    provider = connections.provider(name)
    return VenueSettings(
        addresses={VENUES[name].host: provider.base_url, **provider.hosts},
        prefix=connections.sandbox_prefix,
        min_interval_seconds=0.0 if connections.is_simulated else provider.min_interval_seconds,
        concurrency=provider.concurrency,
        limits=connections.limits,
    )
