"""Exchange candles from the sandbox: pages asked a few at a time through ccxt's async client against one after the other."""

from __future__ import annotations

from datetime import UTC, date, datetime

from benchmarks.timing import Row, compare
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.sources.exchanges import ExchangeSettings, collect_candles, rewrite_urls

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
START = date(2022, 1, 3)


def measure() -> list[Row]:
    """Three years of every dollar market."""
    import ccxt

    market = simulate_market(SimulationSettings(tokens=250))
    with running_sandbox(market, NOW) as sandbox:
        settings = ExchangeSettings(base_url_prefix=sandbox.base_url, rate_limit_ms=1)

        def plain() -> int:
            client = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}, "rateLimit": 1})
            client.urls["api"] = rewrite_urls(client.urls["api"], prefix=sandbox.base_url, hosts={})
            rows = 0
            for name, details in client.load_markets().items():
                if details["quote"] not in settings.quotes:
                    continue
                since = int(datetime(START.year, START.month, START.day, tzinfo=UTC).timestamp() * 1000)
                while page := client.fetch_ohlcv(name, "1d", since=since, limit=1000):
                    rows += len(page)
                    since = page[-1][0] + 86_400_000
            return rows

        return [
            compare(
                "candles of all dollar markets, 3 years, from the sandbox",
                lambda: collect_candles(settings, starts={}, now=NOW, default_start=START),
                plain,
                note="plain: ccxt, one page after the other, without checks",
            )
        ]
