"""Loads of perpetuals: funding and open interest, of few tokens and seldom, because both cost a request a perpetual.

Belongs here: which perpetuals are asked, and when. Does not: how (`sources/exchanges/derivatives.py`).

Of the `derivative_tokens` largest tokens one perpetual each is followed for its history, at the first venue that has one.
Funding of a perpetual is asked again when its newest landed day is a week old or a week has ended since: an answer holds at least a
month, and the weekly tables want Sundays. What is open now comes daily in one request a venue where the venue has such a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from orchestration.lib.connections import Connections
from orchestration.lib.ingestion import Ingested, Ingestion, Reach
from orchestration.lib.loads.exchange_lists import exchange_run
from orchestration.lib.loads.old_days import land_by_age
from orchestration.sources.datasets.exchanges import DERIVATIVES
from orchestration.sources.errors import SourceError
from orchestration.sources.exchanges.derivatives import (
    OfPerpetuals,
    fetch_funding,
    fetch_open_interest_history,
    fetch_open_interest_now,
)
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.validation import Fetched


def load_derivatives(venue: str, ingestion: Ingestion, connections: Connections, reach: Reach) -> Sequence[Ingested]:
    """Funding and open interest of the venue's part of the perpetuals."""
    run, store = exchange_run(connections), ingestion.store
    funding_set, interest_set = (VENUES[venue].dataset(name) for name in ("funding_rates", "open_interest"))
    listed = run.perpetuals(reach)[venue]
    if isinstance(listed, SourceError):
        raise listed
    funded = store.newest_market_dates(funding_set, by="market_id")
    known = store.newest_market_dates(interest_set, by="market_id")
    followed = run.perpetual_plan(ingestion, reach)[venue]
    for_funding = [each for each in followed if reach.is_week_due(funded.get(each.market_id))]
    for_history = [each for each in followed if _has_gap(known.get(each.market_id), reach, venue=venue)]
    universe = set(run.followed_tokens(ingestion, reach))
    of_universe = [each for each in listed.found if each.symbol in universe]

    async def land_all() -> Sequence[Ingested]:
        client = await run.venues.open(venue)
        starts = {name: reach.start_after(day) for name, day in funded.items()}
        funding = await fetch_funding(
            client, for_funding, starts=starts, default_start=reach.first, last=reach.last, now=reach.now
        )
        refused = (*listed.rejected, *funding.fetched.rejected)
        landed = _land(ingestion, replace(funding, fetched=replace(funding.fetched, rejected=refused)), reach)
        since = {name: day + timedelta(days=1) for name, day in known.items()}
        history = await fetch_open_interest_history(client, for_history, starts=since, last=reach.last, now=reach.now)
        current = await fetch_open_interest_now(client, of_universe, now=reach.now)
        # The newest day is always what was open some minutes after its close, the same for all perpetuals of the venue.
        interest = Fetched.join(interest_set, [current, history.fetched])
        interest_landed = _land(ingestion, OfPerpetuals(interest, history.failures), reach)
        ingestion.report(
            f"{venue}: asked for funding of {len(for_funding)} and open interest of {len(for_history)} perpetuals"
        )
        return [landed, interest_landed]

    return run.venues.run(land_all())


def _has_gap(newest: date | None, reach: Reach, *, venue: str) -> bool:
    """Whether days are missing that the venue's history still has; binance has no request for all perpetuals at once."""
    if venue == DERIVATIVES[0]:
        return reach.is_week_due(newest)
    return newest is None or reach.last - newest > timedelta(days=1)


def _land(ingestion: Ingestion, found: OfPerpetuals, reach: Reach) -> Ingested:
    failures = {name: str(error) for name, error in found.failures.items()}
    return land_by_age(ingestion, found.fetched, reach).with_failures(failures)
