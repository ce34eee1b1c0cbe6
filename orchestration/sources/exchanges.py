"""Exchanges through ccxt: spot markets, rolling tickers and finished daily candles of Binance.

Belongs here: opening and always closing a ccxt client, paging, pacing, its errors as ours, candle and ticker shapes.
Does not: our HTTP client (`http.py`); ccxt brings its own transport and rate limiter.

Candles are read through ccxt's raw `klines` call: `fetch_ohlcv` drops the quote volume, which is the exact turnover in
USD(T). The newest candle is unfinished until its day ends, so it is left out by comparing with `now`. Markets that no
longer trade are kept: without them every history would consist of survivors.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import tenacity

from orchestration.sources.datasets import find_dataset
from orchestration.sources.http import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.validation import (
    Fetched,
    Rejected,
    UnreadableValueError,
    last_finished_day,
    read_number,
    read_positive,
    read_unix,
    refuse_future,
    validate,
)

CANDLES_DAILY: Final = find_dataset("binance", "candles_daily")
TICKERS: Final = find_dataset("binance", "tickers")
QUOTES: Final = ("USDT", "USD")
CANDLES_A_PAGE: Final = 1000
DAY: Final = timedelta(days=1)
FIRST_DAY: Final = date(2017, 7, 1)  # the exchange opened in July 2017

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Market:
    """A spot market: unified name (BTC/USDT), the exchange's own name (BTCUSDT), ticker, quote, whether it trades."""

    market_id: str
    wire_id: str
    symbol: str
    quote: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """How to reach the exchange.

    Attributes:
        base_url_prefix: Put before every host, `http://127.0.0.1:8000` for a sandbox that routes on the host segment.
        api_host: Stands in for `api.binance.com`; the mirror `data-api.binance.vision` answers where the main host
            refuses a country.
        rate_limit_ms: Least time between requests; None keeps what ccxt knows of the exchange.
        concurrency: Requests under way at once.
        timeout_seconds: Longest wait for one answer.
        attempts: Tries of one request, the first included.
        first_pause_seconds: Pause before the second try; doubles each time, with jitter.
        longest_pause_seconds: Ceiling of the pauses.
        most_failures: Failed markets after which no further one is asked.
        quotes: Quote currencies of the markets wanted.
    """

    base_url_prefix: str | None = None
    api_host: str | None = None
    rate_limit_ms: int | None = None
    concurrency: int = 4
    timeout_seconds: float = 30.0
    attempts: int = 5
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 120.0
    most_failures: int = 5
    quotes: tuple[str, ...] = QUOTES


@dataclass(frozen=True, slots=True)
class CandlesOfMarkets:
    """Candles of many markets.

    Attributes:
        markets: All markets that were wanted.
        fetched: Rows of `binance/candles_daily`, and the records refused.
        failures: Markets without a complete answer and why; what landed of them before is not affected.
    """

    markets: tuple[Market, ...]
    fetched: Fetched
    failures: Mapping[str, SourceError]


class BinanceSpot:
    """Public spot data of Binance; use `open_binance`, which closes the connections.

    Args:
        client: A ccxt `async_support` client, or a fake with `load_markets`, `fetch_tickers` and `publicGetKlines`.
        settings: Attempts, pauses, concurrency and quotes.
        sleep: Waits between attempts; a test passes a recorder.
        jitter: Draws from [0, 1).
    """

    def __init__(
        self,
        client: Any,
        settings: ExchangeSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Keep client and settings; nothing is asked yet."""
        self._client = client
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._sleep = sleep
        self._jitter = jitter

    async def fetch_markets(self) -> list[Market]:
        """List the spot markets in the wanted quotes, ordered by name, those that stopped trading included.

        Raises:
            SourceError: See `http.py`.
        """
        # Reload, because ccxt keeps what an earlier attempt understood of a broken answer.
        markets = await self._ask(partial(self._client.load_markets, True), expect=dict)
        return parse_spot_markets(markets, quotes=self._settings.quotes)

    async def fetch_tickers(self, markets: Sequence[Market], *, now: datetime) -> Fetched:
        """Fetch the rolling 24 hours of all markets in one request.

        Raises:
            SourceError: See `http.py`.
        """
        tickers = await self._ask(self._client.fetch_tickers, expect=dict)
        return parse_tickers(tickers, markets=markets, now=now)

    async def fetch_candles(self, market: Market, *, start: date, now: datetime) -> Fetched:
        """Fetch one market's finished daily candles from a day on.

        Pages with `since = last + 1 bar` and ends when a page brings nothing newer: fewer rows than asked for prove
        nothing, exchanges cap as they like.

        Raises:
            SourceError: See `http.py`.
        """
        parts: list[Fetched] = []
        since = _to_ms(start)
        while since <= _to_ms(last_finished_day(now)):
            query = {"symbol": market.wire_id, "interval": "1d", "limit": CANDLES_A_PAGE, "startTime": since}
            page = await self._ask(partial(self._client.publicGetKlines, query), expect=list)
            parts.append(parse_candles(page, market=market, now=now))
            newest = max((time for time in map(_open_time_ms, page) if time is not None), default=since - 1)
            if newest < since:
                break
            since = newest + int(DAY.total_seconds() * 1000)
        return Fetched.join(CANDLES_DAILY, parts)

    async def fetch_all_candles(
        self, markets: Iterable[Market], *, starts: Mapping[str, date], now: datetime, default_start: date = FIRST_DAY
    ) -> CandlesOfMarkets:
        """Fetch finished candles of many markets, a few at a time.

        A market that fails does not spoil the others; after `most_failures` of them the rest is not asked any more,
        because then the exchange is down and every further market would wait through all its attempts.

        Args:
            markets: Markets wanted.
            starts: First day wanted, by `market_id` (the day after the newest landed one).
            now: Instant of the request.
            default_start: First day of a market that `starts` does not name.

        Raises:
            AccessRestrictedError: The exchange refuses this place, so all markets.
            SourceError: Not one market could be read; the first error met.
        """
        wanted = tuple(markets)
        parts: dict[str, Fetched] = {}
        failures: dict[str, SourceError] = {}

        async def one(market: Market) -> None:
            if (
                sum(not isinstance(each, RequestRejectedError) for each in failures.values())
                >= self._settings.most_failures
            ):
                failures[market.market_id] = SourceUnavailableError("not asked, too many markets had failed before")
                return
            try:
                start = starts.get(market.market_id, default_start)
                parts[market.market_id] = await self.fetch_candles(market, start=start, now=now)
            except AccessRestrictedError:
                raise
            except SourceError as error:
                failures[market.market_id] = error

        queue = iter(wanted)

        async def worker() -> None:
            for market in queue:
                await one(market)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._settings.concurrency):
                group.create_task(worker())
        if failures and not parts:
            raise next(iter(failures.values()))
        in_order = [parts[market.market_id] for market in wanted if market.market_id in parts]
        return CandlesOfMarkets(wanted, Fetched.join(CANDLES_DAILY, in_order), failures)

    async def _ask(self, call: Callable[[], Awaitable[Any]], *, expect: type[Result]) -> Result:
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._settings.attempts),
            wait=self._pause,
            retry=tenacity.retry_if_exception(self._is_worth_repeating),
            sleep=self._sleep,
            reraise=True,
        )
        async with self._slots:
            try:
                return await retrying(self._attempt, call, expect)
            except SourceError as error:
                attempts = retrying.statistics.get("attempt_number", 1)
                if attempts > 1:
                    error.args = (f"{error.args[0]} (after {attempts} attempts)", *error.args[1:])
                raise

    async def _attempt(self, call: Callable[[], Awaitable[Any]], expect: type[Result]) -> Result:
        import ccxt.async_support as ccxt  # takes half a second, so only where it is used

        try:
            answer = await call()
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # ccxt trusts the shape of an answer and stumbles over HTML or cut-off JSON with whatever comes first.
            cause = f"{type(error).__name__}: {error}"
            raise UnexpectedBodyError(f"binance: the answer is not of the known shape ({cause})") from None
        except ccxt.BaseError as error:
            headers = getattr(self._client, "last_response_headers", None)
            raise translate(error, headers=headers if isinstance(headers, Mapping) else {}) from None
        if not isinstance(answer, expect):
            raise UnexpectedBodyError(f"binance: a {expect.__name__} was due, this came: {str(answer)[:200]!r}")
        if expect is dict and not answer:  # what ccxt makes of HTML or cut-off JSON under 200
            raise UnexpectedBodyError(
                "binance: the table of markets or tickers came empty; an HTML page or a cut-off body"
            )
        return answer

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if isinstance(error, AccessRestrictedError):
            return False
        if not isinstance(error, (SourceUnavailableError, RateLimitedError, UnexpectedBodyError)):
            return False
        return (error.retry_after_seconds or 0.0) <= self._settings.longest_pause_seconds

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, SourceError) and error.retry_after_seconds is not None:
            return error.retry_after_seconds + self._jitter()
        pause = self._settings.first_pause_seconds * 2.0 ** (state.attempt_number - 1)
        return min(pause * (1.0 + self._jitter()), self._settings.longest_pause_seconds)


@asynccontextmanager
async def open_binance(settings: ExchangeSettings) -> AsyncIterator[BinanceSpot]:
    """Open the exchange for public spot data; its connections are closed whatever happens."""
    import ccxt.async_support as ccxt  # takes half a second, so only where it is used

    options: dict[str, Any] = {
        "enableRateLimit": True,
        "timeout": int(settings.timeout_seconds * 1000),
        "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
    }
    if settings.rate_limit_ms is not None:
        options["rateLimit"] = settings.rate_limit_ms
    client = ccxt.binance(options)
    try:
        hosts = {"api.binance.com": settings.api_host} if settings.api_host else {}
        client.urls["api"] = rewrite_urls(client.urls["api"], prefix=settings.base_url_prefix, hosts=hosts)
        yield BinanceSpot(client, settings)
    finally:
        await client.close()


def collect_candles(
    settings: ExchangeSettings, *, starts: Mapping[str, date], now: datetime, default_start: date = FIRST_DAY
) -> CandlesOfMarkets:
    """Open the exchange, list its markets and fetch their finished candles: the whole job, for code without asyncio.

    Raises:
        SourceError: See `http.py`.
    """

    async def run() -> CandlesOfMarkets:
        async with open_binance(settings) as exchange:
            markets = await exchange.fetch_markets()
            return await exchange.fetch_all_candles(markets, starts=starts, now=now, default_start=default_start)

    return _run(run())


def collect_tickers(settings: ExchangeSettings, *, now: datetime) -> Fetched:
    """Open the exchange and fetch the tickers of its wanted markets, for code without asyncio.

    Raises:
        SourceError: See `http.py`.
    """

    async def run() -> Fetched:
        async with open_binance(settings) as exchange:
            return await exchange.fetch_tickers(await exchange.fetch_markets(), now=now)

    return _run(run())


def rewrite_urls(urls: Any, *, prefix: str | None, hosts: Mapping[str, str]) -> Any:
    """Replace hosts in ccxt's table of addresses, and put a sandbox before them: `https://HOST` -> `prefix/HOST`."""
    if isinstance(urls, Mapping):
        return {name: rewrite_urls(value, prefix=prefix, hosts=hosts) for name, value in urls.items()}
    if not isinstance(urls, str) or "://" not in urls:
        return urls
    parts = urlsplit(urls)
    host = hosts.get(parts.netloc, parts.netloc)
    if prefix is None:
        return urls.replace(f"://{parts.netloc}", f"://{host}", 1)
    return f"{prefix.rstrip('/')}/{host}{parts.path}"


def translate(error: Exception, *, headers: Mapping[str, Any]) -> SourceError:
    """Turn a ccxt error into one of ours.

    A 403 or 451 that speaks of a location or country is a refusal of this place; ccxt files it under unavailable or
    even rate-limited, which would be repeated in vain.
    """
    import ccxt.async_support as ccxt  # takes half a second, so only where it is used

    said = " ".join(str(error).split())[:300]
    message = f"binance: {type(error).__name__}: {said}"
    lowered = said.lower()
    if any(word in lowered for word in ("restricted location", "your country", "451 unavailable")):
        hint = "set the exchange's host to data-api.binance.vision or disable it"
        return AccessRestrictedError(f"{message}; {hint}")
    if isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
        return RateLimitedError(message, retry_after_seconds=_retry_after(headers))
    if isinstance(error, (ccxt.NetworkError, ccxt.ExchangeNotAvailable)):
        return SourceUnavailableError(message, retry_after_seconds=None)
    if isinstance(error, (ccxt.BadSymbol, ccxt.BadRequest)):
        return RequestRejectedError(f"{message}; check the market's name", status=400)
    if "<html" in lowered or "<!doctype" in lowered:
        return SourceUnavailableError(f"{message}; an HTML page came instead of data")
    return UnexpectedBodyError(f"{message}; the exchange answered in a form that ccxt does not know")


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    for name, value in headers.items():
        if str(name).lower() == "retry-after":
            try:
                return max(0.0, float(value))
            except ValueError:
                return None
    return None


def parse_spot_markets(markets: Any, *, quotes: Sequence[str]) -> list[Market]:
    """Pick spot markets in the wanted quotes out of ccxt's table of markets, ordered by name."""
    if not isinstance(markets, Mapping):
        raise UnexpectedBodyError(f"binance: list of markets is a {type(markets).__name__}, not a table")
    found = [
        Market(
            market_id=entry["symbol"],
            wire_id=entry["id"],
            symbol=str(entry["base"]).upper(),
            quote=entry["quote"],
            is_active=entry.get("active") is not False,
        )
        for entry in markets.values()
        if entry.get("spot") and entry.get("quote") in quotes
    ]
    return sorted(found, key=lambda market: market.market_id)


def parse_candles(page: Any, *, market: Market, now: datetime) -> Fetched:
    """Turn raw klines into rows.

    Of a kline's 12 values these are read: 0 open time in ms, 1-4 open, high, low, close, 5 base volume, 7 quote volume.
    """
    if not isinstance(page, list):
        raise UnexpectedBodyError(
            f"binance: klines of {market.market_id} are a {type(page).__name__}: {str(page)[:200]}"
        )
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for record in page:
        try:
            row = _read_candle(record, market=market, now=now)
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), {"market_id": market.market_id, "candle": record}))
            continue
        if row["market_date"] <= last_finished_day(now):
            rows.append(row)
    return validate(CANDLES_DAILY, rows, now=now, rejected=rejected)


def _read_candle(record: Any, *, market: Market, now: datetime) -> dict[str, Any]:
    if not isinstance(record, list) or len(record) < 8:
        raise UnreadableValueError("candle is no list of at least 8 values")
    opened_at = read_unix(record[0], column="open time", per_second=1000, text_allowed=True)
    refuse_future(opened_at, now=now, column="open time")
    if opened_at.timestamp() % DAY.total_seconds():
        raise UnreadableValueError("open time is not 00:00 UTC")
    names = ("open_quote", "high_quote", "low_quote", "close_quote", "volume_base")
    values = {
        name: read_number(value, column=name, text_allowed=True) for name, value in zip(names, record[1:6], strict=True)
    }
    return {
        "market_id": market.market_id,
        "symbol": market.symbol,
        "quote": market.quote,
        "market_date": opened_at.date(),
        **values,
        "volume_quote": read_number(record[7], column="volume_quote", text_allowed=True),
    }


def parse_tickers(tickers: Any, *, markets: Sequence[Market], now: datetime) -> Fetched:
    """Turn ccxt's tickers of the given markets into rows of the last finished day; other markets are left out."""
    if not isinstance(tickers, Mapping):
        raise UnexpectedBodyError(f"binance: tickers are a {type(tickers).__name__}, not a table")
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for market in markets:
        record = tickers.get(market.market_id)
        if record is None:
            if market.is_active:  # ccxt drops records that it cannot read
                rejected.append(Rejected.of("active market has no readable ticker", {"market_id": market.market_id}))
            continue
        try:
            rows.append(_read_ticker(record, market=market, now=now))
        except UnreadableValueError as error:
            rejected.append(Rejected.of(str(error), record))
    return validate(TICKERS, rows, now=now, rejected=rejected)


def _read_ticker(record: Mapping[str, Any], *, market: Market, now: datetime) -> dict[str, Any]:
    observed_at = read_unix(record.get("timestamp"), column="timestamp", per_second=1000, text_allowed=True)
    refuse_future(observed_at, now=now, column="timestamp")
    return {
        "market_id": market.market_id,
        "symbol": market.symbol,
        "quote": market.quote,
        "market_date": last_finished_day(now),
        "observed_at": observed_at,
        "last_quote": read_number(record.get("last"), column="last", text_allowed=True),
        "bid_quote": read_positive(record.get("bid"), column="bid", text_allowed=True),
        "ask_quote": read_positive(record.get("ask"), column="ask", text_allowed=True),
        "volume_base": read_number(record.get("baseVolume"), column="baseVolume", text_allowed=True),
        "volume_quote": read_number(record.get("quoteVolume"), column="quoteVolume", text_allowed=True),
    }


def _open_time_ms(record: Any) -> int | None:
    try:
        return int(record[0])
    except (TypeError, ValueError, IndexError, KeyError):
        return None


def _to_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _run(job: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; of several failed requests the first one's error is raised, not a group of them."""
    try:
        return asyncio.run(job)
    except BaseExceptionGroup as group:
        raise _first_source_error(group) from None


def _first_source_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first_source_error(inner) if isinstance(inner, BaseExceptionGroup) else inner
