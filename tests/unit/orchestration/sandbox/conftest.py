"""Markets and one running sandbox shared by the sandbox's tests; every test finds the sandbox as if just started."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import ccxt.async_support as ccxt
import httpx
import pytest

from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.settings import SimulationSettings


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    return simulate_market()


@pytest.fixture(scope="session")
def null_market() -> SimulatedMarket:
    return simulate_market(SimulationSettings(is_null=True))


NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def running(market: SimulatedMarket) -> Iterator[RunningSandbox]:
    with running_sandbox(market, NOW) as started:
        yield started


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    """As of Monday 2025-01-06, half past midnight, without faults and with an empty log."""
    running.clock.now = NOW
    running.faults.clear()
    running.requests.clear()
    return running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60.0, trust_env=False) as client:
        yield client


Ask = Callable[..., Any]


@pytest.fixture
def ask(sandbox: RunningSandbox) -> Ask:
    """`ask("okx", lambda exchange: exchange.fetch_tickers())`: one conversation with a ccxt client of the sandbox.

    The client's clock is the sandbox's, its addresses lead to the sandbox, and it is closed in the end.
    """

    def converse(name: str, talk: Callable[[Any], Awaitable[Any]], *, types: tuple[str, ...] = ("spot",)) -> Any:
        async def run() -> Any:
            options = {"fetchMarkets": {"types": list(types), "fetchTickersFees": False}}
            exchange = getattr(ccxt, name)({"options": options, "rateLimit": 1})
            exchange.urls["api"] = rewrite(exchange, exchange.urls["api"], sandbox.base_url)
            exchange.milliseconds = lambda: sandbox.clock.milliseconds
            exchange.seconds = lambda: sandbox.clock.milliseconds // 1000
            try:
                return await talk(exchange)
            finally:
                await exchange.close()

        return asyncio.run(run())

    return converse


def rewrite(exchange: Any, urls: Any, base_url: str) -> Any:
    """The table of addresses of a ccxt client with `https://HOST` replaced by `base_url/HOST`."""
    if isinstance(urls, dict):
        return {name: rewrite(exchange, url, base_url) for name, url in urls.items()}
    return exchange.implode_hostname(urls).replace("https://", f"{base_url}/")
