"""One simulated run's connections for the tests of loads, and landing stores that know the market's tokens."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.ingestion import Ingestion, Reach, with_columns_of
from orchestration.lib.landing import LandingStore
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox
from orchestration.settings import Settings
from orchestration.sources.datasets import find_dataset

TOKENS = 130
FIRST_DAY = date(2022, 1, 3)
SUNDAY = date(2025, 1, 5)

ASSETS = find_dataset("coingecko", "assets")
MARKETS = find_dataset("coingecko", "markets")


def forget_clients(opened: Connections) -> None:
    """New clients from now on, as another process would have: a circuit that a fault opened stays with the old ones."""
    opened._http.clear()


@pytest.fixture
def new_process(opened: Connections) -> Callable[[], None]:
    """What a new process changes for a run: its clients."""
    return lambda: forget_clients(opened)


@pytest.fixture(scope="session")
def opened() -> Iterator[Connections]:
    """Connections of a simulated run with a key for every provider that needs one."""
    keyed = Settings().reddit.model_dump() | {"api_key": "canary-key", "api_secret": "canary-secret"}
    settings = Settings(simulation={"tokens": TOKENS}, reddit=keyed)
    with open_connections(settings, lambda text: None) as connections:
        connections.reach(last=SUNDAY, first=FIRST_DAY, partition="year")
        yield connections


@pytest.fixture
def sandbox(opened: Connections) -> RunningSandbox:
    """The sandbox behind the connections, without faults and with an empty log."""
    running = opened._sandbox  # its connections keep it to themselves: only tests look behind them
    running.faults.clear()
    running.requests.clear()
    forget_clients(opened)
    return running


@pytest.fixture
def market(sandbox: RunningSandbox) -> SimulatedMarket:
    return sandbox.app.market


@pytest.fixture
def reach(opened: Connections, sandbox: RunningSandbox) -> Callable[..., Reach]:
    """Reach up to a day, which is also the sandbox's yesterday."""

    def make(last: date = SUNDAY, *, partition: str = "day") -> Reach:
        return opened.reach(last=last, first=FIRST_DAY, partition=partition)

    return make


@pytest.fixture
def ingestion(opened: Connections, market: SimulatedMarket, tmp_path: Path) -> Ingestion:
    """Landing in an empty folder that holds nothing but the market's tokens, as CoinGecko's loads leave them."""
    store = LandingStore(tmp_path / "data")
    seen = SUNDAY - timedelta(days=14)
    birth = market.lifetimes.birth
    members = [token for token, born in zip(market.members, birth, strict=True) if born <= (seen - FIRST_DAY).days]
    known = {
        "coin_id": [token.coin_id for token in members],
        "symbol": [token.symbol for token in members],
        "name": [token.name for token in members],
    }
    links = [json.dumps([token.github_repo] if token.github_repo else []) for token in members]
    loaded_at = datetime(seen.year, seen.month, seen.day, 12, tzinfo=UTC)
    prices = {
        "market_date": [seen] * len(members),
        "observed_at": [loaded_at] * len(members),
        "market_cap_usd": [token.opening_cap_usd for token in members],
        "price_usd": [token.opening_price_usd for token in members],
    }
    for dataset, columns in ((ASSETS, {**known, "github_repos": links}), (MARKETS, {**known, **prices})):
        store.write(
            dataset,
            with_columns_of(dataset, pl.DataFrame(columns)),
            data_source="simulated",
            partition=seen.isoformat(),
            loaded_at=loaded_at,
            lag_hours=0.0,
        )
    return opened.ingestion(store)
