"""Every venue against the project's own sandbox: what lands is what the simulated market says, within the written digits."""

from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus

import numpy as np
import polars as pl
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.exchange_books import liquidity, order_book
from orchestration.sandbox.exchange_markets import VENUES as SIMULATED
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.exchange_perpetuals import Perpetuals
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.limits import as_limits
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.providers import PROVIDERS
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.server import busiest_window
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import Settings
from orchestration.sources.errors import SourceError
from orchestration.sources.exchanges.candles import fetch_candles
from orchestration.sources.exchanges.client import Venues, VenueSettings
from orchestration.sources.exchanges.derivatives import (
    fetch_funding,
    fetch_open_interest_history,
    fetch_open_interest_now,
    fetch_perpetuals,
)
from orchestration.sources.exchanges.markets import fetch_market_list, fetch_markets
from orchestration.sources.exchanges.quotes import fetch_order_books, fetch_tickers
from orchestration.sources.exchanges.venues import VENUES
from tests.limits import QUICK

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
START, LAST = date(2022, 1, 3), date(2025, 1, 5)
WITH_PERPETUALS = ("binance", "okx", "kucoin", "gate")
SIMULATED_NAMES = {"coinbase": "coinbase"}


@pytest.fixture(scope="module")
def sandbox():
    market = simulate_market(SimulationSettings(tokens=130))
    with running_sandbox(market, NOW) as running:
        yield running


@pytest.fixture(autouse=True)
def no_faults(sandbox):
    sandbox.faults.clear()
    sandbox.requests.clear()


@pytest.fixture
def venues(sandbox):
    opened = Venues(lambda name: VenueSettings(prefix=sandbox.base_url, limits=QUICK))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def served(sandbox):
    return ServedMarket(sandbox.app.market, SandboxClock(NOW))


def truth_of(served, name: str) -> ExchangeMarkets:
    (venue,) = [each for each in SIMULATED if each.name == SIMULATED_NAMES.get(name, name)]
    return ExchangeMarkets(served, venue)


async def read_candles(venues, name: str, *, count: int, first: date = START):
    client = await venues.open(name)
    markets = [each for each in await fetch_markets(client) if each.is_active][:count]
    rounds = [
        batch async for batch in fetch_candles(client, markets, starts={}, default_start=first, last=LAST, now=NOW)
    ]
    assert not any(each.failures or each.fetched.rejected for each in rounds)
    return markets, pl.concat([each.fetched.frame for each in rounds])


@pytest.mark.parametrize("name", VENUES)
def test_candles_are_the_simulated_ones(venues, served, name):
    markets, frame = venues.run(read_candles(venues, name, count=6))

    truth = truth_of(served, name)
    for market in markets:
        listing = truth.find(market.symbol)
        # Binance keeps the prices that the market had before it had other exchanges.
        days, rows = served.candles(listing.index) if name == "binance" else truth.candles(listing)
        kept = days < served.today()
        if name == "kraken":
            kept &= days > served.today() - 720
        found = frame.filter(pl.col("market_id") == market.market_id).sort("market_date")
        assert found["market_date"].to_list() == [START + timedelta(days=int(day)) for day in days[kept]]
        columns = ("open_quote", "high_quote", "low_quote", "close_quote", "volume_base")
        np.testing.assert_allclose(found.select(columns).to_numpy(), rows[kept], rtol=1e-4)
        middle = rows[kept][:, [0, 3]].mean(axis=1)
        assert found["volume_quote"].to_numpy() / rows[kept][:, 4] == pytest.approx(middle, rel=0.5)


@pytest.mark.parametrize("name", VENUES)
def test_tickers_are_the_simulated_ones(venues, served, name):
    async def read():
        client = await venues.open(name)
        return await fetch_tickers(client, await fetch_markets(client), now=NOW)

    fetched = venues.run(read())

    truth = truth_of(served, name)
    trading = [
        each for each in truth.trading() if f"{each.base}/{truth.venue.quote}" in set(fetched.frame["market_id"])
    ]
    last = dict(fetched.frame.select("market_id", "last_quote").iter_rows())
    assert len(trading) == fetched.frame.height == len(truth.trading())
    assert fetched.rejected == ()
    for listing, quoted in zip(trading, truth.quotations(trading), strict=True):
        assert last[f"{listing.base}/{truth.venue.quote}"] == pytest.approx(quoted.last, rel=1e-4)
    assert set(fetched.frame["market_date"]) == {LAST}


@pytest.mark.parametrize("name", VENUES)
def test_order_books_hold_the_simulated_depth_and_spread(venues, served, name):
    async def read():
        client = await venues.open(name)
        markets = [each for each in await fetch_markets(client) if each.is_active][:8]
        return await fetch_order_books(client, markets, now=NOW)

    books = venues.run(read())

    truth = truth_of(served, name)
    assert books.failures == {}
    assert books.fetched.frame.height == 8
    complete = books.fetched.frame.filter("is_depth_complete")
    assert complete.height > 0
    for row in complete.iter_rows(named=True):
        listing = truth.find(row["symbol"])
        state, book = liquidity(truth, listing), order_book(truth, listing)
        assert row["spread"] == pytest.approx(state.spread, rel=0.02)
        for side, levels in (("bid", book.bids), ("ask", book.asks)):
            # One level lies at 2 % to the last digit, so that rounding decides whether it counts.
            inside, at_the_rim = (
                float(levels[:count].prod(axis=1).sum()) for count in (state.levels, state.levels + 1)
            )
            assert inside * 0.999 <= row[f"{side}_depth_2pct_quote"] <= at_the_rim * 1.001
    for row in books.fetched.frame.filter(~pl.col("is_depth_complete")).iter_rows(named=True):
        state = liquidity(truth, truth.find(row["symbol"]))
        assert row["bid_depth_2pct_quote"] <= state.bid_depth * 1.001


@pytest.mark.parametrize("name", WITH_PERPETUALS)
def test_funding_is_the_mean_of_the_simulated_payments(venues, served, name):
    first = LAST - timedelta(days=60)

    async def read():
        client = await venues.open(name)
        listed = (await fetch_perpetuals(client, now=NOW)).found[:6]
        return listed, await fetch_funding(client, listed, starts={}, default_start=first, last=LAST, now=NOW)

    listed, found = venues.run(read())

    truth = Perpetuals(truth_of(served, name))
    assert found.failures == {}
    for perpetual in listed:
        contract = truth.find(perpetual.symbol)
        times = truth.funding_times(contract)
        rates = truth.funding_rates(contract, times)
        expected = pl.DataFrame({"at": times, "rate": rates}).with_columns(
            ((pl.col("at") - 1) // 86_400_000).cast(pl.Int32).cast(pl.Date).alias("market_date")
        )
        daily = expected.group_by("market_date", maintain_order=True).agg(pl.col("rate").mean(), pl.len())
        daily = daily.filter(pl.col("market_date").is_between(first, LAST))
        own = found.fetched.frame.filter(pl.col("market_id") == perpetual.market_id).sort("market_date")
        assert own["market_date"].to_list() == daily["market_date"].to_list()
        np.testing.assert_allclose(own["funding_rate"], daily["rate"], atol=2e-8)
        assert own["settlements"].to_list() == daily["len"].to_list()
        assert set(own["interval_hours"]) == {float(contract.interval_hours)}


@pytest.mark.parametrize("name", WITH_PERPETUALS)
def test_open_interest_is_the_simulated_one_in_usd_and_tokens(venues, served, name):
    async def read():
        client = await venues.open(name)
        listed = (await fetch_perpetuals(client, now=NOW)).found[:6]
        history = await fetch_open_interest_history(client, listed, starts={}, last=LAST, now=NOW)
        return listed, history.fetched.frame, (await fetch_open_interest_now(client, listed, now=NOW)).frame

    listed, history, current = venues.run(read())

    truth = Perpetuals(truth_of(served, name))
    assert history.height == (0 if name == "kucoin" else 30 * len(listed))
    assert current.height == (0 if name == "binance" else len(listed))
    midnight = np.array([int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)])
    for perpetual in listed:
        contract = truth.find(perpetual.symbol)
        usd = float(truth.open_interest_usd(contract, midnight)[0])
        tokens = usd / float(truth.price_usd(contract, midnight)[0])
        own = history.filter((pl.col("market_id") == perpetual.market_id) & (pl.col("market_date") == LAST))
        for row in own.iter_rows(named=True):
            assert row["open_interest_usd"] == pytest.approx(usd, rel=0.01)
            assert row["open_interest_base"] == pytest.approx(tokens, rel=0.01)
        for row in current.filter(pl.col("market_id") == perpetual.market_id).iter_rows(named=True):
            assert row["open_interest_usd"] == pytest.approx(usd, rel=0.25)  # 45 minutes later, at the price of then
            assert row["market_date"] == LAST


def test_a_refused_country_is_served_by_the_mirror(venues, sandbox):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="api.binance.com"))

    _, frame = venues.run(read_candles(venues, "binance", count=3, first=LAST))

    assert frame.height == 3
    assert [each.status for each in sandbox.requests if each.host == "api.binance.com"] == [451]


@pytest.mark.parametrize("name", ["okx", "kucoin", "bitstamp"])
def test_a_list_of_markets_that_ccxt_reads_in_part_says_so(venues, sandbox, name):
    async def read():
        return await fetch_market_list(await venues.open(name))

    whole = venues.run(read())
    sandbox.faults.add(FaultRule(kind=FaultKind.WRONG_TYPES))
    damaged = venues.run(read())

    assert whole.unread is None
    assert len(damaged.markets) < len(whole.markets)
    assert "entries cannot be read" in damaged.unread


LASTING = [FaultKind.HTML_PAGE, FaultKind.TRUNCATED, FaultKind.ERROR_UNDER_200, FaultKind.EMPTY_BODY]


@pytest.mark.parametrize("kind", LASTING)
@pytest.mark.parametrize("name", VENUES)
def test_a_lasting_fault_never_looks_like_an_empty_venue(venues, sandbox, name, kind):
    async def markets_and_books():
        client = await venues.open(name)
        markets = await fetch_markets(client)
        sandbox.faults.add(FaultRule(kind=kind))
        with pytest.raises(SourceError, match=name):
            await fetch_markets(client)
        client._circuit.succeeded("spot")
        with pytest.raises(SourceError, match=name):
            await fetch_order_books(client, markets[:2], now=NOW)
        client._circuit.succeeded("spot")
        async for batch in fetch_candles(client, markets[:2], starts={}, default_start=LAST, last=LAST, now=NOW):
            assert batch.fetched.frame.is_empty()

    with pytest.raises(SourceError, match=name):
        venues.run(markets_and_books())


def test_live_paces_stay_within_the_limits_of_every_venue():
    requests = asked_at_live_paces()

    assert [f"{each.host}{each.path}" for each in requests if each.status != HTTPStatus.OK] == []
    for venue in VENUES.values():
        for limit in as_limits(PROVIDERS[venue.host].LIMITS):
            asked = busiest_window(requests, venue.host, limit.seconds, path=limit.path)
            assert asked <= limit.requests


def asked_at_live_paces():
    """What a live run asks of all venues at once, which refuse what goes beyond their limits."""
    settings = Settings()
    market = simulate_market(SimulationSettings(tokens=130))
    with running_sandbox(market, NOW, enforce_limits=True) as sandbox:

        def reach(name: str) -> VenueSettings:
            return VenueSettings(
                prefix=sandbox.base_url, min_interval_seconds=getattr(settings, name).min_interval_seconds
            )

        venues = Venues(reach)

        async def ask_for_a_while(name: str) -> None:
            client = await venues.open(name)
            markets = await fetch_markets(client)
            await fetch_tickers(client, markets, now=NOW)
            count = 3 if name == "kraken" else 30
            async for _ in fetch_candles(client, markets[:count], starts={}, default_start=LAST, last=LAST, now=NOW):
                pass
            await fetch_order_books(client, [each for each in markets if each.is_active][:3], now=NOW)

        async def all_at_once() -> None:
            import asyncio

            await asyncio.gather(*(ask_for_a_while(name) for name in VENUES))

        try:
            venues.run(all_at_once())
        finally:
            venues.close()
        return list(sandbox.requests)
