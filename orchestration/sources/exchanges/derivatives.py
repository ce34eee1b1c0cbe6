"""Perpetual futures: which there are, what they paid in funding, and how many are open.

Belongs here: what is common to the venues: days, means, units. Does not: addresses and fields of a venue
(`derivative_formats.py`), which perpetuals are asked about (`orchestration/lib/loads/exchange_derivatives.py`).

A payment at 00:00 closes the day before: it is the price of having held through that day's last hours. The interval is read
from the instants of the payments, because it differs between contracts (8, 4 or 1 hours) and changes at times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, TypeVar

import polars as pl

from orchestration.sources.errors import AccessRestrictedError, RateLimitedError, SourceError
from orchestration.sources.exchanges.client import VenueClient
from orchestration.sources.exchanges.derivative_formats import FORMATS
from orchestration.sources.exchanges.errors import NotAskedError
from orchestration.sources.exchanges.perpetuals import Perpetual, Settlement, Standing
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.validation import CLOCK_SKEW, Fetched, Rejected, last_finished_day, validate, validate_frame

MOST_PAGES: Final = 40
"""Pages of one perpetual's history in one load; an hourly payer over three years has 27 of a thousand."""
UNREADABLE_SHARE: Final = 0.05
EIGHT_HOURS_MS: Final = 8 * 3_600_000
OTHERS: Final = "(others)"
"""Stands in the failures for the perpetuals that were not asked any more."""


Dated = TypeVar("Dated", Settlement, Standing)


@dataclass(frozen=True, slots=True)
class ListedPerpetuals:
    """Perpetuals of a venue, and the entries of its list that cannot be read."""

    found: tuple[Perpetual, ...]
    rejected: tuple[Rejected, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the list can be taken to lack nothing, but for an odd entry or two."""
        return len(self.rejected) <= UNREADABLE_SHARE * (len(self.found) + len(self.rejected))


@dataclass(frozen=True, slots=True)
class OfPerpetuals:
    """Rows of several perpetuals, and why some have none."""

    fetched: Fetched
    failures: Mapping[str, SourceError]


async def fetch_perpetuals(client: VenueClient, *, now: datetime) -> ListedPerpetuals:
    """List the perpetuals that trade against USDT, by name.

    Raises:
        SourceError: See `errors.py`.
    """
    form = FORMATS[client.venue.name]
    found, rejected = await client.ask(
        form.ask_list, lambda answer: form.read_list(answer, now), what="list of perpetuals", side="derivatives"
    )
    return ListedPerpetuals(tuple(sorted(found, key=lambda each: each.market_id)), tuple(rejected))


async def fetch_funding(
    client: VenueClient,
    perpetuals: Sequence[Perpetual],
    *,
    starts: Mapping[str, date],
    default_start: date,
    last: date,
    now: datetime,
) -> OfPerpetuals:
    """Fetch the daily means of funding.

    Args:
        client: The venue.
        perpetuals: Those wanted.
        starts: First day wanted, by `market_id`.
        default_start: First day of those that `starts` does not name; no earlier than the venue's history goes.
        last: Last day wanted.
        now: Instant of the request.

    Raises:
        AccessRestrictedError: The venue refuses this place.
        RateLimitedError: It asks for fewer requests than our patience gives, or has shut us out.
        SourceError: Nothing could be read; the first error met.
    """
    form, dataset = FORMATS[client.venue.name], VENUES[client.venue.name].dataset("funding_rates")
    newest = min(last, last_finished_day(now))
    oldest = now.date() - timedelta(days=form.funding_days)

    async def one(perpetual: Perpetual) -> tuple[list[Settlement], list[Rejected]]:
        first = max(starts.get(perpetual.market_id, default_start), oldest)
        return await _settlements(client, perpetual, first=first, last=newest, now=now)

    answers, failures = await _each(perpetuals, one)
    rejected = [record for _, (_, refused) in answers for record in refused]
    frame = pl.DataFrame(
        [
            (perpetual.market_id, perpetual.symbol, each.at_ms, each.rate)
            for perpetual, (settlements, _) in answers
            for each in settlements
        ],
        schema={"market_id": pl.String, "symbol": pl.String, "at_ms": pl.Int64, "funding_rate": pl.Float64},
        orient="row",
    )
    spoiled = [perpetual.market_id for perpetual, (_, refused) in answers if refused]
    daily = daily_means(frame, spoiled=spoiled).filter(pl.col("market_date") <= newest)
    first_days = pl.DataFrame(
        {
            "market_id": pl.Series([each.market_id for each in perpetuals], dtype=pl.String),
            "first": pl.Series([starts.get(each.market_id, default_start) for each in perpetuals], dtype=pl.Date),
        }
    )
    wanted = daily.join(first_days, on="market_id").filter(pl.col("market_date") >= pl.col("first"))
    rows = wanted.select(pl.col(name).cast(dtype) for name, dtype in dataset.columns.items())
    return OfPerpetuals(validate_frame(dataset, rows, now=now, rejected=rejected), failures)


async def fetch_open_interest_history(
    client: VenueClient, perpetuals: Sequence[Perpetual], *, starts: Mapping[str, date], last: date, now: datetime
) -> OfPerpetuals:
    """Fetch what the venue still knows of the days before, about thirty; nothing where it tells only what is open now.

    Args:
        client: The venue.
        perpetuals: Those wanted.
        starts: First day wanted, by `market_id`; all that the venue knows of those it does not name.
        last: Last day wanted.
        now: Instant of the request.

    Raises:
        SourceError: As `fetch_funding`.
    """
    form, dataset = FORMATS[client.venue.name], VENUES[client.venue.name].dataset("open_interest")
    ask, read = form.ask_open_interest, form.read_open_interest
    if ask is None or read is None:
        return OfPerpetuals(Fetched(dataset, dataset.empty()), {})

    async def one(perpetual: Perpetual) -> tuple[list[Standing], list[Rejected]]:
        standings, refused = await client.ask(
            lambda ccxt: ask(ccxt, perpetual),
            lambda answer: read(answer, perpetual),
            what=f"open interest of {perpetual.market_id}",
            side="derivatives",
            cost=form.open_interest_cost,
        )
        kept, ahead = _without_future(standings, perpetual, now=now)
        return kept, [*refused, *ahead]

    answers, failures = await _each(perpetuals, one)
    newest = min(last, last_finished_day(now))
    rows = [
        _standing_row(perpetual, each, market_date=day)
        for perpetual, (standings, _) in answers
        for day, each in _closes(standings).items()
        if starts.get(perpetual.market_id, day) <= day <= newest
    ]
    rejected = [record for _, (_, refused) in answers for record in refused]
    return OfPerpetuals(validate(dataset, rows, now=now, rejected=rejected), failures)


async def fetch_open_interest_now(client: VenueClient, perpetuals: Sequence[Perpetual], *, now: datetime) -> Fetched:
    """What is open now of many perpetuals, as the close of the last finished day: one request, or none where the list said it.

    Raises:
        SourceError: See `errors.py`.
    """
    form, dataset = FORMATS[client.venue.name], VENUES[client.venue.name].dataset("open_interest")
    standings = {each.market_id: each.standing for each in perpetuals if each.standing is not None}
    rejected: list[Rejected] = []
    if form.ask_all_open_interest is not None and form.read_all_open_interest is not None:
        read = form.read_all_open_interest
        standings, rejected = await client.ask(
            form.ask_all_open_interest,
            lambda answer: read(answer, perpetuals),
            what="open interest of all perpetuals",
            side="derivatives",
        )
    day = last_finished_day(now)
    rows = [
        _standing_row(each, standings[each.market_id], market_date=day)
        for each in perpetuals
        if each.market_id in standings
    ]
    return validate(dataset, rows, now=now, rejected=rejected)


def daily_means(settlements: pl.DataFrame, *, spoiled: Sequence[str] = ()) -> pl.DataFrame:
    """Mean, interval and number of payments, one row per perpetual and day.

    Args:
        settlements: Columns market_id, symbol, at_ms and funding_rate; equal payments may come several times.
        spoiled: Perpetuals of which payments were refused. Their days are left out where a payment may be missing, since
            the mean of the others would be another number.
    """
    day_ms = 86_400_000
    instant = (pl.col("at_ms") / 60_000).round() * 60_000  # venues settle some milliseconds late
    # Rounded, because a division by a constant may be done as a multiplication and give 7.999999999999999.
    hours = (pl.col("at_ms").diff() / 3_600_000).round(4).fill_null(strategy="backward")
    is_whole = pl.col("shortest") * pl.col("settlements") == 24.0
    return (
        settlements.with_columns(instant.cast(pl.Int64).alias("at_ms"))
        .unique(["market_id", "at_ms"], keep="first", maintain_order=True)
        .sort("market_id", "at_ms")
        .with_columns(
            ((pl.col("at_ms") - 1) // day_ms).cast(pl.Int32).cast(pl.Date).alias("market_date"),
            hours.over("market_id").alias("hours"),
        )
        .group_by("market_id", "symbol", "market_date", maintain_order=True)
        .agg(
            pl.col("funding_rate").mean(),
            pl.col("hours").median().alias("interval_hours"),
            pl.len().cast(pl.Int64).alias("settlements"),
            pl.col("hours").min().alias("shortest"),
        )
        .filter(~pl.col("market_id").is_in(list(spoiled)) | is_whole)
        .drop("shortest")
    )


async def _settlements(
    client: VenueClient, perpetual: Perpetual, *, first: date, last: date, now: datetime
) -> tuple[list[Settlement], list[Rejected]]:
    """All payments of some days, page by page, forwards or backwards as the venue gives them."""
    form = FORMATS[client.venue.name]
    found: list[Settlement] = []
    rejected: list[Rejected] = []
    # A payment at 00:00 belongs to the day before, and may come some seconds late.
    begin, end = _ms(first) + 1, _ms(last + timedelta(days=1)) + 60_000
    for _ in range(MOST_PAGES):
        if begin > end:
            break
        low, high = begin, end
        page, refused = await client.ask(
            lambda ccxt, low=low, high=high: form.ask_funding(ccxt, perpetual, low, high),  # type: ignore[misc]
            lambda answer: form.read_funding(answer, perpetual),
            what=f"funding of {perpetual.market_id}",
            side="derivatives",
            cost=form.funding_cost,
        )
        page, ahead = _without_future(page, perpetual, now=now)
        rejected += [*refused, *ahead]
        news = [each for each in page if low <= each.at_ms <= high]
        if not news:
            break
        found += news
        times = sorted(each.at_ms for each in news)
        step = min((later - earlier for earlier, later in pairwise(times)), default=EIGHT_HOURS_MS)
        if form.is_newest_first:
            end = times[0] - 1
            if times[0] - step < begin:
                break
        else:
            begin = times[-1] + 1
            if times[-1] + step > end:
                break
    return found, rejected


def _without_future(
    records: Sequence[Dated], perpetual: Perpetual, *, now: datetime
) -> tuple[list[Dated], list[Rejected]]:
    """Records of the past, and those of the future refused."""
    latest = (now + CLOCK_SKEW).timestamp() * 1000
    ahead = [each for each in records if each.at_ms > latest]
    refused = [
        Rejected.of("time lies in the future", {"market_id": perpetual.market_id, **asdict(each)}) for each in ahead
    ]
    return [each for each in records if each.at_ms <= latest], refused


async def _each(
    perpetuals: Sequence[Perpetual], ask: Callable[[Perpetual], Awaitable[Any]]
) -> tuple[list[tuple[Perpetual, Any]], dict[str, SourceError]]:
    """Ask about each, several at a time; raises where nothing came or the venue wants to be left alone."""
    answers = await asyncio.gather(*(ask(each) for each in perpetuals), return_exceptions=True)
    came: list[tuple[Perpetual, Any]] = []
    failures: dict[str, SourceError] = {}
    for perpetual, answer in zip(perpetuals, answers, strict=True):
        if not isinstance(answer, BaseException):
            came.append((perpetual, answer))
        elif isinstance(answer, (AccessRestrictedError, RateLimitedError)) or not isinstance(answer, SourceError):
            raise answer
        else:
            failures.setdefault(OTHERS if isinstance(answer, NotAskedError) else perpetual.market_id, answer)
    if failures and not came:
        raise next(iter(failures.values()))
    return came, failures


def _closes(standings: Sequence[Standing]) -> dict[date, Standing]:
    """The last standing of each day; one at 00:00 closes the day before."""
    closes: dict[date, Standing] = {}
    for each in sorted(standings, key=lambda one: one.at_ms):
        closes[date(1970, 1, 1) + timedelta(milliseconds=each.at_ms - 1)] = each
    return closes


def _standing_row(perpetual: Perpetual, standing: Standing, *, market_date: date) -> dict[str, Any]:
    return {
        "market_id": perpetual.market_id,
        "symbol": perpetual.symbol,
        "market_date": market_date,
        "open_interest_usd": standing.usd,
        "open_interest_base": standing.tokens,
    }


def _ms(day: date) -> int:
    return (day - date(1970, 1, 1)).days * 86_400_000
