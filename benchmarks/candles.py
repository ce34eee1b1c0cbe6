"""Exchange candles from the sandbox: our adapter against a plain ccxt loop that asks one page after the other.

The server runs in a process of its own and remembers its answers, for both sides alike: it writes a page slower than
either side reads it, and would be what is measured. Both sides list the markets and read every daily candle of three years.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, compare

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
START, LAST = date(2022, 1, 3), date(2025, 1, 5)
PACED_SECONDS = 12.0
VENUE = "binance"
TOKENS = 800


def measure() -> list[Row]:
    """Pages a second, and the same with landing."""
    with remembering_sandbox() as base_url:
        plain = PlainLoop(base_url)
        rows, pages = len(plain.read()), plain.pages
        fetched = compare(
            f"{pages} pages of candles ({rows:,} rows) through ccxt", lambda: read_ours(base_url), plain.read, note=""
        )
        landed = compare(
            "the same into Parquet", lambda: land_ours(base_url), lambda: write_plain(plain.read()), note=""
        )
    return [
        replace(
            fetched,
            note=f"{pages / fetched.ours:,.0f} against {pages / fetched.plain:,.0f} pages a second; plain: ccxt's fetch_ohlcv, "
            "one page after the other, without checks and turnover. Server in a process of its own, which remembers its "
            "answers, for both",
        ),
        replace(
            landed,
            note=f"{rows / landed.ours:,.0f} against {rows / landed.plain:,.0f} rows a second into landing; ours: checked against "
            "the rules, flushed to disk in batches that survive a kill; plain: one file at the end",
        ),
    ]


def limits() -> list[str]:
    """Lines of a table: how often the venues were asked at the pace of a live run, measured at the sandbox."""
    from orchestration.sandbox.limits import as_limits
    from orchestration.sandbox.market import simulate_market
    from orchestration.sandbox.providers import PROVIDERS
    from orchestration.sandbox.runner import running_sandbox
    from orchestration.sandbox.settings import SimulationSettings
    from orchestration.settings import Settings
    from orchestration.sources.exchanges.client import Venues, VenueSettings
    from orchestration.sources.exchanges.venues import VENUES

    lines = [
        f"Requests at the pace of a live run for {PACED_SECONDS:g} s, measured at a sandbox that enforces each venue's limits:",
        "",
        "| venue | requests | refused | budget | most used of it within its window |",
        "| --- | --- | --- | --- | --- |",
    ]
    settings = Settings()
    market = simulate_market(SimulationSettings(tokens=TOKENS))
    with running_sandbox(market, NOW, enforce_limits=True) as sandbox:

        def reach(name: str) -> VenueSettings:
            interval = getattr(settings, name).min_interval_seconds
            return VenueSettings(prefix=sandbox.base_url, min_interval_seconds=interval)

        venues = Venues(reach)
        try:
            venues.run(_ask_for_a_while(venues, list(VENUES)))
        finally:
            venues.close()
        for name, venue in VENUES.items():
            requests = [each for each in sandbox.requests if each.host == venue.host]
            refused = sum(each.status in (418, 429) for each in requests)
            for limit in as_limits(PROVIDERS[venue.host].LIMITS):  # type: ignore[attr-defined]
                taken = [
                    (each.at_seconds, weight) for each in requests if (weight := limit.weight_of(each.path, each.query))
                ]
                if taken:
                    used = _most(taken, limit.seconds)
                    budget = f"{limit.requests:g} in {limit.seconds:g} s{f' of {limit.path}' if limit.path else ''}"
                    lines.append(f"| {name} | {len(requests)} | {refused} | {budget} | {used} |")
    return lines


class PlainLoop:
    """What one writes first: ccxt's own client, page after page.

    Attributes:
        pages: Pages with candles of the last reading.
    """

    def __init__(self, base_url: str) -> None:
        """Open the client."""
        import ccxt

        from orchestration.sources.exchanges.client import rewrite_urls

        self.pages = 0
        self._client = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}, "rateLimit": 1})
        self._client.urls["api"] = rewrite_urls(self._client.urls["api"], addresses={}, prefix=base_url)

    def read(self) -> list[list[Any]]:
        """Every candle since START."""
        self.pages = 0
        rows: list[list[Any]] = []
        for name, details in self._client.load_markets(True).items():
            if details["quote"] not in ("USDT", "USD"):
                continue
            since = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp() * 1000)
            while page := self._client.fetch_ohlcv(name, "1d", since=since, limit=1000):
                self.pages += 1
                rows += page
                since = page[-1][0] + 86_400_000
        return rows


def read_ours(base_url: str) -> int:
    """Every candle since START through our adapter; rows."""
    return _run_ours(base_url, lambda fetched: fetched.frame.height)


def land_ours(base_url: str) -> int:
    """The same, landed in a new folder."""
    from orchestration.lib.ingestion import Ingestion, Reach
    from orchestration.lib.landing import LandingStore

    reach = Reach(now=NOW, first=START, last=LAST, partition="year")
    with tempfile.TemporaryDirectory() as folder:
        lags = {(VENUE, "candles_daily"): 0.0}
        ingestion = Ingestion(LandingStore(Path(folder)), data_source="simulated", lags=lags, report=lambda _text: None)
        return _run_ours(base_url, lambda fetched: ingestion.land(fetched, reach, is_all_news=True).landed)


def write_plain(rows: list[list[Any]]) -> None:
    """What one writes first: all rows into one file."""
    import polars as pl

    with tempfile.TemporaryDirectory() as folder:
        names = ("time", "open", "high", "low", "close", "volume")
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(Path(folder) / "candles.parquet")


def _run_ours(base_url: str, count: Any) -> int:
    from orchestration.sources.exchanges.candles import fetch_candles
    from orchestration.sources.exchanges.client import Venues, VenueSettings
    from orchestration.sources.exchanges.markets import fetch_markets

    venues = Venues(lambda _name: VenueSettings(prefix=base_url))

    async def read() -> int:
        client = await venues.open(VENUE)
        markets = await fetch_markets(client)
        found = 0
        async for batch in fetch_candles(client, markets, starts={}, default_start=START, last=LAST, now=NOW):
            assert not batch.failures, batch.failures
            found += count(batch.fetched)
        return found

    try:
        return venues.run(read())
    finally:
        venues.close()


async def _ask_for_a_while(venues: Any, names: list[str]) -> None:
    """Lists, tickers, candles and order books of all venues at once, until the time is over."""
    from orchestration.sources.exchanges.candles import fetch_candles
    from orchestration.sources.exchanges.markets import fetch_markets
    from orchestration.sources.exchanges.quotes import fetch_order_books, fetch_tickers

    async def one(name: str) -> None:
        client = await venues.open(name)
        markets = await fetch_markets(client)
        await fetch_tickers(client, markets, now=NOW)
        while True:
            first = LAST - timedelta(days=9)
            async for _ in fetch_candles(client, markets, starts={}, default_start=first, last=LAST, now=NOW):
                pass
            await fetch_order_books(client, [each for each in markets if each.is_active][:20], now=NOW)

    jobs = [asyncio.create_task(one(name)) for name in names]
    done, _ = await asyncio.wait(jobs, timeout=PACED_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    for job in done:
        job.result()


def _most(taken: list[tuple[float, int]], seconds: float) -> int:
    """Largest sum of weights within any window."""
    most = 0
    for position, (end, _) in enumerate(taken):
        most = max(most, sum(weight for at, weight in taken[: position + 1] if at > end - seconds))
    return most


@contextmanager
def remembering_sandbox() -> Iterator[str]:
    """A sandbox in a process of its own; gives its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, sys.path), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10.0)


def _serve(connection: Connection, path: list[str]) -> None:
    sys.path[:] = path
    import uvicorn

    from orchestration.sandbox.clock import SandboxClock
    from orchestration.sandbox.market import simulate_market
    from orchestration.sandbox.server import create_app
    from orchestration.sandbox.settings import SimulationSettings

    market = simulate_market(SimulationSettings(tokens=TOKENS))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        Remembering(create_app(market, SandboxClock(NOW))), log_config=None, access_log=False, lifespan="off", ws="none"
    )
    connection.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listener])


class Remembering:
    """Answers of an application, kept by address; at a clock that stands still they are always the same."""

    def __init__(self, app: Any) -> None:
        """Begin with none."""
        self._app = app
        self._kept: dict[tuple[str, bytes], list[dict[str, Any]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer from memory, or ask and remember."""
        if scope["type"] != "http":
            return
        key = (scope["path"], scope["query_string"])
        if key not in self._kept:
            messages: list[dict[str, Any]] = []

            async def keep(message: dict[str, Any]) -> None:
                messages.append(message)

            await self._app(scope, receive, keep)
            self._kept[key] = messages
        for message in self._kept[key]:
            await send(message)


if __name__ == "__main__":
    started = time.perf_counter()
    for row in measure():
        print(
            f"{row.what}: ours {row.ours:.3f} s, plain {row.plain:.3f} s, {row.plain / row.ours:.1f} times; {row.note}"
        )
    print("\n".join(limits()))
    print(f"{time.perf_counter() - started:.1f} s")
