"""Finished daily candles of many markets of one venue, page by page.

Belongs here: which page is asked next, several at a time, and when a market is complete. Does not: columns
(`candle_formats.py`, `candle_rows.py`), which markets (`orchestration/lib/loads/exchange_plan.py`), landing.

A batch of markets is read in rounds, one page of each market a round: what was read lands oldest first, so a load that is
killed goes on from the newest landed day and repeats at most one page a market.

No number of rows means the end, since venues cap as they like. Where a request has an end, the days that an answer lacks at
its beginning or end are asked for again; where it has none, a market is complete when a page brings nothing newer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from orchestration.sources.errors import AccessRestrictedError, RateLimitedError, SourceError, UnexpectedBodyError
from orchestration.sources.exchanges.candle_formats import DAY, FORMATS, CandleFormat
from orchestration.sources.exchanges.candle_rows import Page, Span, land_ready, read_pages
from orchestration.sources.exchanges.client import VenueClient
from orchestration.sources.exchanges.errors import NotAskedError
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.validation import Fetched, last_finished_day

BATCH_MARKETS: Final = 50
"""Markets read together while a history is filled."""
BATCH_DAYS: Final = 50_000
"""Days of all markets read together; a daily load of a few days a market is one batch."""
SMALLEST_CAP: Final = 10
"""No venue cuts an answer to fewer rows; a shorter one is complete."""
LANES: Final = 2
"""Batches under way at once."""
OTHERS: Final = "(others)"
"""Stands in the failures for the markets that were not asked any more."""


@dataclass(frozen=True, slots=True)
class CandleBatch:
    """One round of pages.

    Attributes:
        fetched: Rows of `<venue>/candles_daily`, and the records refused.
        pages: Pages that came.
        finished: Markets that are done so far, of all batches.
        failures: Markets that failed in this round and why; what came of them before is not affected.
    """

    fetched: Fetched
    pages: int
    finished: int
    failures: Mapping[str, SourceError]


@dataclass(slots=True)
class _Came:
    """Answers of one round, sorted out."""

    pages: list[tuple[_Cursor, Page]] = field(default_factory=list)
    failures: dict[str, SourceError] = field(default_factory=dict)
    fatal: SourceError | None = None


@dataclass(frozen=True, slots=True)
class _Round:
    """One round of a batch, read; `fatal` ends the whole."""

    fetched: Fetched
    pages: int
    finished: int
    failures: Mapping[str, SourceError]
    fatal: SourceError | None


@dataclass(slots=True)
class _Cursor:
    """Where a market stands: the next day wanted, and the range whose beginning is still missing."""

    market: Market
    first: date
    last: date
    window_last: date | None = None
    head_last: date | None = None
    newest: date | None = None
    held: list[Page] = field(default_factory=list)

    def range(self, form: CandleFormat) -> tuple[date, date]:
        """First and last day to ask for now."""
        if form.page_days is None:
            return self.first, self.last
        if self.window_last is None:
            self.window_last = min(self.first + (form.page_days - 1) * DAY, self.last)
        return self.first, self.head_last or self.window_last

    @property
    def is_done(self) -> bool:
        return self.first > self.last

    def advance(self, span: Span, form: CandleFormat) -> bool:
        """Go on behind an answer; whether its page may land now, or must wait for the days before it."""
        asked_first, asked_last = self.range(form)
        if span.newest is not None:
            self.newest = max(self.newest or span.newest, span.newest)
        if form.page_days is None:
            brought_news = span.newest is not None and span.newest >= asked_first
            self.first = span.newest + DAY if brought_news and span.newest else self.last + DAY
            return True
        if span.rows >= SMALLEST_CAP and span.oldest is not None and asked_first < span.oldest <= asked_last:
            self.head_last = span.oldest - DAY
            return False
        assert self.window_last is not None  # noqa: S101 - `range` has set it
        is_cut = self.newest is not None and asked_first <= self.newest < self.window_last
        is_cut = is_cut and (span.rows >= SMALLEST_CAP or bool(self.held))
        self.first = (self.newest if is_cut and self.newest else self.window_last) + DAY
        self.window_last = self.head_last = self.newest = None
        return True


async def fetch_candles(
    client: VenueClient,
    markets: Sequence[Market],
    *,
    starts: Mapping[str, date],
    default_start: date,
    last: date,
    now: datetime,
) -> AsyncIterator[CandleBatch]:
    """Fetch finished candles of many markets.

    A market that fails does not spoil the others. When the venue's circuit breaker has opened, the rest is not asked.

    Args:
        client: The venue.
        markets: Markets wanted, the most important first.
        starts: First day wanted, by `market_id` (some days before the newest landed one).
        default_start: First day of a market that `starts` does not name.
        last: Last day wanted; days that have not ended by `now` are never given.
        now: Instant of the request.

    Yields:
        A round at a time, with rows of at most one page a market.

    Raises:
        AccessRestrictedError: The venue refuses this place, so all markets.
        RateLimitedError: It asks for fewer requests than our patience gives, or has shut us out.
        SourceError: Not one market could be read; the first error met.
    """
    newest = min(last, last_finished_day(now))
    cursors = [
        cursor
        for market in markets
        if not (cursor := _Cursor(market, starts.get(market.market_id, default_start), newest)).is_done
    ]
    finished, has_rows = len(markets) - len(cursors), False
    first_error: SourceError | None = None
    # Rows are read in a second thread, outside Python for the most part, while pages of another batch come.
    rounds: asyncio.Queue[_Round | BaseException | None] = asyncio.Queue(maxsize=LANES)
    batches = iter(_batches(cursors))
    lanes = [asyncio.create_task(_read_batches(client, batches, rounds, now=now)) for _ in range(LANES)]
    try:
        open_lanes = LANES
        while open_lanes:
            got = await rounds.get()
            if got is None:
                open_lanes -= 1
            elif isinstance(got, BaseException):
                raise got
            else:
                finished += got.finished
                has_rows = has_rows or got.pages > 0
                first_error = first_error or next(iter(got.failures.values()), None)
                yield CandleBatch(got.fetched, got.pages, finished, got.failures)
                if got.fatal is not None:
                    raise got.fatal
                if OTHERS in got.failures:
                    break
    finally:
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    if first_error is not None and not has_rows:
        raise first_error


async def _read_batches(
    client: VenueClient,
    batches: Iterator[list[_Cursor]],
    rounds: asyncio.Queue[_Round | BaseException | None],
    *,
    now: datetime,
) -> None:
    """Read batch after batch, round after round, as long as there are any; the rounds go to a queue, None ends them."""
    try:
        for waiting in batches:
            while waiting:
                answers = await asyncio.gather(
                    *(_ask(client, cursor, now) for cursor in waiting), return_exceptions=True
                )
                came = _sort_out(waiting, answers)
                fetched = await asyncio.to_thread(_advance, came.pages, venue=client.venue.name, now=now)
                waiting = [cursor for cursor, _ in came.pages if not cursor.is_done]
                finished = len(came.pages) - len(waiting)
                await rounds.put(_Round(fetched, len(came.pages), finished, came.failures, came.fatal))
        await rounds.put(None)
    except Exception as error:
        await rounds.put(error)


def _sort_out(asked: Sequence[_Cursor], answers: Sequence[Page | BaseException]) -> _Came:
    """Pages and failures of one round."""
    came = _Came()
    for cursor, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Page):
            came.pages.append((cursor, answer))
        elif isinstance(answer, NotAskedError):
            came.failures[OTHERS] = answer
        elif isinstance(answer, SourceError):
            came.failures[cursor.market.market_id] = answer
            if isinstance(answer, (AccessRestrictedError, RateLimitedError)):
                came.fatal = came.fatal or answer
        else:
            raise answer
    return came


def _batches(cursors: Sequence[_Cursor]) -> list[list[_Cursor]]:
    """Markets read together: fifty, or more of those that lack a few days only."""
    batches: list[list[_Cursor]] = []
    days = 0
    for cursor in cursors:
        days += (cursor.last - cursor.first).days + 1
        if not batches or (len(batches[-1]) >= BATCH_MARKETS and days > BATCH_DAYS):
            batches.append([])
            days = (cursor.last - cursor.first).days + 1
        batches[-1].append(cursor)
    return batches


async def _ask(client: VenueClient, cursor: _Cursor, now: datetime) -> Page:
    """The next page of a market."""
    form, market = FORMATS[client.venue.name], cursor.market
    first, last = cursor.range(form)

    def rows_of(answer: Any) -> Any:
        rows = form.rows(answer)
        if not isinstance(rows, list):
            raise UnexpectedBodyError(f"a list was due, this came: {str(rows)[:200]!r}")
        return rows

    rows = await client.ask(
        lambda ccxt: form.ask(ccxt, market.wire_id, first, last, now.astimezone(UTC).date()),
        rows_of,
        what=f"candles of {market.market_id} from {first}",
        wants_text=True,
    )
    return Page(market, first, rows)


def _advance(pages: Sequence[tuple[_Cursor, Page]], *, venue: str, now: datetime) -> Fetched:
    """Move the cursors on and give the rows of all ranges that are complete now."""
    form = FORMATS[venue]
    read = read_pages([page for _, page in pages], venue=venue, now=now)
    complete: list[Page] = []
    for (cursor, page), span in zip(pages, read.spans, strict=True):
        if cursor.advance(span, form):
            complete += [*cursor.held, page]
            cursor.held = []
        else:
            cursor.held.append(page)
    if len(complete) != len(pages) or any(page is not own for page, (_, own) in zip(complete, pages, strict=True)):
        read = read_pages(complete, venue=venue, now=now)  # seldom: the range of a market came in pieces
    return land_ready([read], venue=venue, now=now)
