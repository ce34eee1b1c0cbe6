"""Binance through ccxt: paging, unfinished candles, damaged answers, errors, and closing."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import ccxt.async_support as ccxt
import pytest

from orchestration.sources.exchanges import (
    BinanceSpot,
    ExchangeSettings,
    Market,
    open_binance,
    parse_candles,
    parse_spot_markets,
    parse_tickers,
    rewrite_urls,
    translate,
)
from orchestration.sources.http import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceUnavailableError,
    UnexpectedBodyError,
)

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
TODAY = date(2025, 1, 6)
BTC = Market("BTC/USDT", "BTCUSDT", "BTC", "USDT", is_active=True)
ETH = Market("ETH/USDT", "ETHUSDT", "ETH", "USDT", is_active=True)


def kline(day: date, *, opened="10", high="12", low="9", close="11", volume="5", quote_volume="52.5") -> list:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    return [start, opened, high, low, close, volume, start + 86_399_999, quote_volume, 10, "2", "21", "0"]


def days_until(last: date, count: int) -> list[date]:
    return [last - timedelta(days=count - 1 - number) for number in range(count)]


class FakeExchange:
    """Serves klines of a list of days, at most `page` at once; raises the errors it is given first."""

    def __init__(self, days: list[date], *, page: int = 1000, errors: list[Exception] | None = None) -> None:
        self.days = days
        self.page = page
        self.errors = errors or []
        self.asked: list[dict] = []
        self.last_response_headers: dict[str, str] = {}
        self.under_way = self.most_under_way = 0

    async def publicGetKlines(self, query: dict) -> list:  # noqa: N802 - ccxt's name
        self.asked.append(query)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.errors:
            raise self.errors.pop(0)
        rows = [kline(day) for day in self.days]
        return [row for row in rows if row[0] >= query["startTime"]][: self.page]


def spot(exchange, **settings) -> tuple[BinanceSpot, list[float]]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    return BinanceSpot(exchange, ExchangeSettings(**settings), sleep=sleep, jitter=lambda: 0.0), pauses


def test_candles_are_paged_to_the_last_finished_day_and_the_running_one_is_dropped():
    exchange = FakeExchange(days_until(TODAY, 25), page=10)
    binance, _ = spot(exchange)

    fetched = asyncio.run(binance.fetch_candles(BTC, start=date(2024, 12, 1), now=NOW))

    assert fetched.frame["market_date"].to_list() == days_until(date(2025, 1, 5), 24)
    assert [query["startTime"] for query in exchange.asked] == sorted({query["startTime"] for query in exchange.asked})
    assert len(exchange.asked) == 3


def test_paging_ends_when_a_page_brings_nothing_newer():
    class Stuck(FakeExchange):
        async def publicGetKlines(self, query: dict) -> list:  # noqa: N802 - ccxt's name
            self.asked.append(query)
            return [kline(date(2025, 1, 1))]

    exchange = Stuck([])
    binance, _ = spot(exchange)

    fetched = asyncio.run(binance.fetch_candles(BTC, start=date(2025, 1, 1), now=NOW))

    assert fetched.frame.height == 1
    assert len(exchange.asked) == 2


def test_a_market_that_is_up_to_date_costs_no_request():
    exchange = FakeExchange([])
    binance, _ = spot(exchange)

    fetched = asyncio.run(binance.fetch_candles(BTC, start=TODAY, now=NOW))

    assert fetched.frame.is_empty()
    assert exchange.asked == []


def test_many_markets_are_fetched_a_few_at_a_time_from_their_own_start():
    exchange = FakeExchange(days_until(TODAY, 4))
    markets = [Market(f"T{number}/USDT", f"T{number}USDT", f"T{number}", "USDT", is_active=True) for number in range(9)]
    binance, _ = spot(exchange, concurrency=3)

    result = asyncio.run(
        binance.fetch_all_candles(
            markets, starts={"T0/USDT": date(2025, 1, 5)}, now=NOW, default_start=date(2025, 1, 1)
        )
    )

    assert exchange.most_under_way == 3
    assert result.fetched.frame.height == 1 + 8 * 3
    assert result.fetched.frame["market_id"].unique(maintain_order=True).to_list() == [
        each.market_id for each in markets
    ]


def test_passing_errors_are_repeated_with_growing_pauses():
    exchange = FakeExchange(
        days_until(TODAY, 2), errors=[ccxt.RequestTimeout("slow"), ccxt.ExchangeNotAvailable("502")]
    )
    binance, pauses = spot(exchange, first_pause_seconds=1.0)

    fetched = asyncio.run(binance.fetch_candles(BTC, start=date(2025, 1, 5), now=NOW))

    assert fetched.frame.height == 1
    assert pauses == [1.0, 2.0]


def test_retry_after_of_a_rate_limit_is_waited_for():
    exchange = FakeExchange(days_until(TODAY, 2), errors=[ccxt.DDoSProtection("418")])
    exchange.last_response_headers = {"Retry-After": "17"}
    binance, pauses = spot(exchange)

    asyncio.run(binance.fetch_candles(BTC, start=date(2025, 1, 5), now=NOW))

    assert pauses == [17.0]


def test_a_failing_market_spares_the_others():
    exchange = FakeExchange(days_until(TODAY, 2), errors=[ccxt.BadSymbol('binance {"code":-1121}')])
    binance, _ = spot(exchange, concurrency=1)

    result = asyncio.run(binance.fetch_all_candles([BTC, ETH], starts={}, now=NOW, default_start=date(2025, 1, 5)))

    assert result.fetched.frame["market_id"].to_list() == ["ETH/USDT"]
    assert isinstance(result.failures["BTC/USDT"], RequestRejectedError)


def test_an_exchange_that_is_down_is_not_asked_for_every_market():
    exchange = FakeExchange([], errors=[ccxt.ExchangeNotAvailable("down")] * 100)
    markets = [Market(f"T{number}/USDT", f"T{number}", "T", "USDT", is_active=True) for number in range(50)]
    binance, _ = spot(exchange, concurrency=1, attempts=2, most_failures=3)

    with pytest.raises(SourceUnavailableError, match=r"down.*after 2 attempts"):
        asyncio.run(binance.fetch_all_candles(markets, starts={}, now=NOW))

    assert len(exchange.asked) == 6


def test_a_damaged_page_is_repeated():
    class Html(FakeExchange):
        async def publicGetKlines(self, query: dict):  # noqa: N802 - ccxt's name
            self.asked.append(query)
            return "<html>" if len(self.asked) == 1 else [kline(date(2025, 1, 5))]

    binance, _ = spot(Html([]))

    fetched = asyncio.run(binance.fetch_candles(BTC, start=date(2025, 1, 5), now=NOW))

    assert fetched.frame.height == 1


def test_an_empty_table_of_markets_is_no_answer():
    class Empty:
        async def load_markets(self, reload: bool) -> dict:
            return {}

    binance, pauses = spot(Empty(), attempts=2)

    with pytest.raises(UnexpectedBodyError, match="came empty"):
        asyncio.run(binance.fetch_markets())

    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("candle", "reason"),
    [
        (kline(date(2025, 1, 5), opened="0"), "is not above zero"),
        (kline(date(2025, 1, 5), close="NaN"), "close_quote is not finite"),
        (kline(date(2025, 1, 5), close="cheap"), "close_quote is text that reads as no number"),
        (kline(date(2025, 1, 5), close=None), "close_quote is missing or not readable"),
        (kline(date(2025, 1, 5), high="8", low="9"), "high_quote is below low_quote"),
        (kline(date(2025, 1, 5), close="12.1"), "close_quote is outside"),
        (kline(date(2025, 1, 5), volume="-1"), "is negative"),
        (kline(date(2025, 3, 5)), "open time lies in the future"),
        ([1735689600001, *kline(date(2025, 1, 1))[1:]], "open time is not 00:00 UTC"),
        ({"open": 1}, "candle is no list of at least 8 values"),
        ([1735689600000, "1"], "candle is no list of at least 8 values"),
    ],
)
def test_malformed_candles_are_refused(candle, reason):
    fetched = parse_candles([candle], market=BTC, now=NOW)

    assert fetched.frame.is_empty()
    assert [reason in each.reason for each in fetched.rejected] == [True]


def test_a_close_at_the_rim_of_rounding_is_accepted():
    fetched = parse_candles([kline(date(2025, 1, 5), close="12.000000001")], market=BTC, now=NOW)

    assert fetched.frame["close_quote"].to_list() == [12.000000001]
    assert fetched.frame["volume_quote"].to_list() == [52.5]


def test_spot_markets_in_usd_quotes_are_picked_dead_ones_included():
    def entry(base: str, quote: str, **more) -> dict:
        return {"id": base + quote, "symbol": f"{base}/{quote}", "base": base, "quote": quote, "spot": True} | more

    table = {
        "BTC/USDT": entry("BTC", "USDT", active=True),
        "OLD/USDT": entry("OLD", "USDT", active=False),
        "ETH/BTC": entry("ETH", "BTC", active=True),
        "BTC/USDT:USDT": entry("BTC", "USDT", spot=False, symbol="BTC/USDT:USDT"),
    }

    markets = parse_spot_markets(table, quotes=("USDT", "USD"))

    assert [(each.market_id, each.is_active) for each in markets] == [("BTC/USDT", True), ("OLD/USDT", False)]


def test_tickers_of_the_markets_are_read_and_missing_ones_reported():
    stamp = int(NOW.timestamp() * 1000)
    tickers = {
        "BTC/USDT": {"timestamp": stamp, "last": 10.0, "bid": 0, "ask": 10.1, "baseVolume": 5, "quoteVolume": 50},
        "XRP/USDT": {"timestamp": stamp, "last": 1.0},
    }
    old = Market("OLD/USDT", "OLDUSDT", "OLD", "USDT", is_active=False)

    fetched = parse_tickers(tickers, markets=[BTC, ETH, old], now=NOW)

    row = fetched.frame.row(0, named=True)
    assert (row["market_date"], row["bid_quote"], row["ask_quote"]) == (date(2025, 1, 5), None, 10.1)
    assert [(each.reason, each.payload) for each in fetched.rejected] == [
        ("active market has no readable ticker", '{"market_id": "ETH/USDT"}')
    ]


def test_addresses_are_put_behind_a_sandbox_or_another_host():
    urls = {"api": {"public": "https://api.binance.com/api/v3", "web": "https://www.binance.com"}, "doc": ["x"]}

    behind = rewrite_urls(urls, prefix="http://127.0.0.1:9/", hosts={})
    mirrored = rewrite_urls(urls, prefix=None, hosts={"api.binance.com": "data-api.binance.vision"})

    assert behind["api"]["public"] == "http://127.0.0.1:9/api.binance.com/api/v3"
    assert mirrored["api"]["public"] == "https://data-api.binance.vision/api/v3"
    assert mirrored["doc"] == ["x"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ccxt.ExchangeNotAvailable("451 {'msg': 'Service unavailable from a restricted location'}"),
            AccessRestrictedError,
        ),
        (ccxt.RateLimitExceeded("403 CloudFront: block access from your country"), AccessRestrictedError),
        (ccxt.RateLimitExceeded("429"), RateLimitedError),
        (ccxt.DDoSProtection("418"), RateLimitedError),
        (ccxt.RequestTimeout("slow"), SourceUnavailableError),
        (ccxt.BadSymbol("unknown"), RequestRejectedError),
        (ccxt.ExchangeError("odd"), UnexpectedBodyError),
    ],
)
def test_errors_of_ccxt_become_ours(error, expected):
    assert type(translate(error, headers={})) is expected


def test_the_client_is_closed_whatever_happens():
    async def run() -> object:
        try:
            async with open_binance(ExchangeSettings(base_url_prefix="http://127.0.0.1:9", rate_limit_ms=1)) as binance:
                client = binance._client
                client.open()
                raise RuntimeError("in the middle")
        except RuntimeError:
            return client

    client = asyncio.run(run())

    assert client.session is None
    assert client.rateLimit == 1
    assert client.urls["api"]["public"] == "http://127.0.0.1:9/api.binance.com/api/v3"
