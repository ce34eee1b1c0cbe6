"""Markets and one running sandbox shared by the sandbox's tests; every test finds the sandbox as if just started."""

from collections.abc import Iterator
from datetime import UTC, datetime

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
    with httpx.Client(timeout=5.0, trust_env=False) as client:
        yield client
