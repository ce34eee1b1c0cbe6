"""Loads of the exchanges: candles, tickers and order books.

Belongs here: from which day each market is asked, what lands together. Does not: which markets (`exchange_plan.py`), wire
formats (`sources/exchanges`), perpetuals (`exchange_derivatives.py`).

Each venue has steps of its own, so that one that is down costs its own data and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.loads.exchange_derivatives import load_derivatives
from orchestration.lib.loads.exchange_lists import exchange_run, told_by_candles
from orchestration.lib.loads.old_days import land_by_age
from orchestration.lib.loads.step import Load, Step
from orchestration.lib.progress import sentence
from orchestration.settings import Settings
from orchestration.sources.coingecko import MARKETS
from orchestration.sources.datasets.exchanges import DERIVATIVES, EXCHANGES
from orchestration.sources.exchanges.candles import fetch_candles
from orchestration.sources.exchanges.quotes import fetch_order_books
from orchestration.sources.exchanges.venues import VENUES

REPORT_SECONDS = 5.0
"""Progress is told at most this often."""


@dataclass(frozen=True, kw_only=True)
class VenueStep(Step):
    """A step of one exchange: on where the exchange is one of those that a run asks."""

    def is_on(self, settings: Settings) -> bool:
        """Whether a run with these settings has the step."""
        return self.provider in settings.exchanges and super().is_on(settings)


def load_candles(venue: str, ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Daily candles of the venue's part of the plan, each from a few days before its newest landed day."""
    run, dataset = exchange_run(connections), VENUES[venue].dataset("candles_daily")
    markets = run.candle_plan(ingestion, reach).get(venue, [])
    if venue in (down := run.lists(reach).down):
        raise down[venue]
    newest = ingestion.store.newest_market_dates(dataset, by="market_id")
    starts = {market_id: reach.start_after(day) for market_id, day in newest.items()}
    tell = _at_most_every(REPORT_SECONDS, ingestion.report)

    async def land_all() -> Ingested:
        total = Ingested(dataset)
        rounds = fetch_candles(
            await run.venues.open(venue),
            markets,
            starts=starts,
            default_start=reach.first,
            last=reach.last,
            now=reach.now,
        )
        async for batch in rounds:
            is_all_news = newest.keys().isdisjoint(batch.fetched.frame["market_id"].unique().to_list())
            total += land_by_age(ingestion, batch.fetched, reach, is_all_news=is_all_news)
            total = total.with_failures({name: str(error) for name, error in batch.failures.items()})
            is_last = batch.finished + len(total.failures) >= len(markets)
            tell(sentence(dataset.label, batch.finished, len(markets), "markets"), now=is_last)
        return total

    return [run.venues.run(land_all()).with_failures(run.lists(reach).failures(venue))]


def load_quotes(venue: str, ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """All tickers of the venue, and the order books of the tokens that trade most here, as of now."""
    run = exchange_run(connections)
    lists = run.lists(reach)
    if venue in lists.without_tickers:
        raise lists.without_tickers[venue]
    tickers = ingestion.land(lists.tickers[venue], reach).with_failures(lists.failures(venue))
    markets = run.book_plan(ingestion, reach).get(venue, [])

    async def read_books() -> Ingested:
        books = await fetch_order_books(await run.venues.open(venue), markets, now=reach.now)
        ingestion.report(sentence(books.fetched.dataset.label, books.fetched.frame.height, len(markets), "markets"))
        failures = {name: str(error) for name, error in books.failures.items()}
        return ingestion.land(books.fetched, reach).with_failures(failures)

    if not markets:
        return [tickers, Ingested(VENUES[venue].dataset("order_books"))]
    return [tickers, run.venues.run(read_books())]


def _at_most_every(seconds: float, report: Callable[[str], None]) -> Callable[..., None]:
    """A report that leaves out what comes too soon after the one before, unless it is the last."""
    told_at = time.monotonic()

    def tell(text: str, *, now: bool = False) -> None:
        nonlocal told_at
        if now or time.monotonic() - told_at >= seconds:
            told_at = time.monotonic()
            report(text)

    return tell


def _of(venue: str, load: Callable[[str, Ingestion, Connections, Reach], Sequence[Ingested]]) -> Load:
    return lambda ingestion, connections, reach: load(venue, ingestion, connections, reach)


def _steps_of(venue: str) -> list[VenueStep]:
    dataset = VENUES[venue].dataset
    steps = [
        VenueStep(
            name=f"{venue}_candles_daily",
            provider=venue,
            load=_of(venue, load_candles),
            datasets=(dataset("candles_daily"),),
            needs=(MARKETS,),
        ),
        VenueStep(
            name=f"{venue}_quotes",
            provider=venue,
            load=_of(venue, load_quotes),
            datasets=(dataset("tickers"), dataset("order_books")),
            # Which books are read depends on the turnover at all venues.
            needs=tuple(VENUES[name].dataset("candles_daily") for name in told_by_candles(EXCHANGES)),
            has_history=False,
        ),
    ]
    if venue in DERIVATIVES:
        steps.append(
            VenueStep(
                name=f"{venue}_derivatives",
                provider=venue,
                load=_of(venue, load_derivatives),
                datasets=(dataset("funding_rates"), dataset("open_interest")),
                needs=(MARKETS,),
            )
        )
    return steps


STEPS = tuple(step for venue in EXCHANGES for step in _steps_of(venue))
