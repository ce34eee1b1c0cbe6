"""Loads of the exchanges in a simulated run: one venue a token, few requests, going on after a kill, a venue that is down."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.connections import Connections, open_connections
from orchestration.lib.ingestion import Ingestion
from orchestration.lib.landing import LandingStore
from orchestration.lib.loads import coingecko, exchanges
from orchestration.lib.loads.step import Step
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.market import simulate_market
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.settings import SimulationSettings
from orchestration.settings import Settings
from orchestration.sources.datasets import find_dataset
from orchestration.sources.datasets.exchanges import EXCHANGES
from orchestration.sources.errors import SourceError
from tests.limits import QUICK

FIRST, SUNDAY = date(2024, 9, 2), date(2025, 1, 5)
STEPS = {step.name: step for step in exchanges.STEPS}


@pytest.fixture(scope="module")
def market():
    return simulate_market(SimulationSettings(tokens=130))


class Run:
    """One process of a simulated run on a data folder."""

    def __init__(self, connections: Connections, store: LandingStore, sandbox) -> None:
        self.connections, self.store, self.sandbox = connections, store, sandbox
        self.said: list[str] = []

    def load(self, step: Step, last: date = SUNDAY, *, partition: str = "year"):
        reach = self.connections.reach(last=last, first=FIRST, partition=partition)
        ingestion: Ingestion = self.connections.ingestion(self.store)
        results = step.load(ingestion, self.connections, reach)
        return [result + ingestion.settle(result.dataset, reach) for result in results]

    def load_all(self, *suffixes: str, last: date = SUNDAY, partition: str = "year") -> dict:
        found = {}
        for name, step in STEPS.items():
            if name.endswith(suffixes):
                for result in self.load(step, last, partition=partition):
                    found[result.dataset.label] = result
        return found

    def asked(self, *parts: str) -> int:
        return sum(any(part in each.path for part in parts) for each in self.sandbox.requests)


@pytest.fixture
def run(market, tmp_path) -> Iterator:
    """Opens further processes on the same folder."""
    from datetime import UTC, datetime

    with running_sandbox(market, datetime(2025, 1, 6, 0, 45, tzinfo=UTC)) as sandbox:
        opened = []

        def start(**settings) -> Run:
            manager = open_connections(
                Settings(source="simulated", **settings), lambda text: None, sandbox=sandbox, limits=QUICK
            )
            connections = manager.__enter__()
            opened.append(manager)
            sandbox.requests.clear()
            return Run(connections, LandingStore(tmp_path), sandbox)

        yield start
        for manager in opened:
            manager.__exit__(None, None, None)


CANDLES = ("/klines", "candles", "candlesticks", "/OHLC", "/ohlc/")


def tickers_landed(store: LandingStore) -> Counter:
    counts: Counter = Counter()
    for venue in EXCHANGES:
        newest = store.newest_market_dates(find_dataset(venue, "candles_daily"), by="market_id")
        counts.update(market_id.split("/")[0] for market_id in newest)
    return counts


def test_a_token_has_candles_of_one_venue_and_costs_one_request_a_day(run):
    first = run()
    first.load(next(step for step in coingecko.STEPS if step.name == "coingecko_markets"))
    landed = first.load_all("_candles_daily")

    tickers = tickers_landed(first.store)
    assert len(tickers) > 90
    assert set(tickers.values()) == {1}
    assert not any(result.failures for result in landed.values())
    assert landed["binance/candles_daily"].landed > landed["okx/candles_daily"].landed > 0

    again = run()
    news = again.load_all("_candles_daily", last=SUNDAY + timedelta(days=1), partition="day")

    assert again.asked(*CANDLES) <= len(tickers)
    assert again.asked("/exchangeInfo") == 1
    assert 0.95 * again.asked(*CANDLES) < sum(result.landed for result in news.values()) <= again.asked(*CANDLES)
    assert set(tickers_landed(again.store).values()) == {1}


def test_what_is_complete_is_not_asked_again(run):
    run().load_all("_candles_daily")
    again = run()

    landed = again.load_all("_candles_daily")

    # Markets that ended lack their newest days for good; while history is filled they are looked at again.
    assert again.asked(*CANDLES) < 10
    assert sum(result.landed for result in landed.values()) == 0


def test_a_venue_that_is_down_costs_its_data_only(run):
    process = run()
    process.sandbox.faults.add(FaultRule(kind=FaultKind.UNAVAILABLE, host="api.binance.com"))

    with pytest.raises(SourceError, match="binance"):
        process.load(STEPS["binance_candles_daily"])
    landed = process.load(STEPS["okx_candles_daily"])[0]

    assert process.store.newest_market_dates(find_dataset("binance", "candles_daily"), by="market_id") == {}
    assert landed.landed > 0
    assert landed.failures == {}
    btc = process.store.newest_market_dates(find_dataset("okx", "candles_daily"), by="market_id")["BTC/USDT"]
    assert btc == SUNDAY  # no history elsewhere, so the next venue takes it


def test_tokens_with_a_history_wait_for_their_venue(run):
    run().load_all("_candles_daily")
    process = run()
    process.sandbox.faults.add(FaultRule(kind=FaultKind.UNAVAILABLE, host="api.binance.com"))

    process.load(STEPS["okx_candles_daily"], SUNDAY + timedelta(days=1), partition="day")

    assert set(tickers_landed(process.store).values()) == {1}


def test_a_killed_history_goes_on_and_repeats_at_most_a_page_a_market(run, monkeypatch):
    gate, step, batch = find_dataset("gate", "candles_daily"), STEPS["gate_candles_daily"], 20
    monkeypatch.setattr("orchestration.sources.exchanges.candles.BATCH_MARKETS", batch)
    monkeypatch.setattr("orchestration.sources.exchanges.candles.BATCH_DAYS", 1)
    killed = run(exchanges=("gate",))
    land, rounds = Ingestion.land, 0

    def die_in_the_third_round(self, fetched, reach, **how):
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise KeyboardInterrupt
        return land(self, fetched, reach, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Ingestion, "land", die_in_the_third_round)
        with pytest.raises(KeyboardInterrupt):
            killed.load(step)
    asked_before = killed.asked("candlesticks")

    again = run(exchanges=("gate",))
    again.load(step)

    rows = again.store.newest(gate)
    assert sum(load.rows for load in again.store.loads(gate)) == rows.height, "every row landed once"
    assert rows["market_date"].max() == SUNDAY
    # At most two batches were under way; what they had read is asked for a second time, and nothing else.
    assert asked_before + again.asked("candlesticks") <= rows["market_id"].n_unique() + 3 * batch
    whole = run(exchanges=("gate",))
    assert whole.load(step)[0].landed == 0


def test_order_books_are_read_once_a_token_where_it_trades_most(run):
    process = run(order_book_tokens=25)

    landed = process.load_all("_quotes", partition="day")

    assert process.asked("/depth", "/books", "/book", "/orderbook", "/order_book", "/Depth") == 25
    books = pl.concat(
        [process.store.newest(find_dataset(venue, "order_books")).select("symbol") for venue in EXCHANGES]
    )
    assert books["symbol"].n_unique() == books.height == 25
    assert all(landed[f"{venue}/tickers"].landed > 10 for venue in EXCHANGES)
    assert process.asked("/tickers", "/ticker/24hr", "/allTickers", "/spark-lines", "/Ticker", "/ticker/") == len(
        EXCHANGES
    )


def test_books_chosen_by_candles_are_the_same_in_the_run_that_lands_the_candles_and_in_the_next(run):
    def read_books() -> tuple[set[str], int]:
        process = run(exchanges=("coinbase", "gate"))
        for name in ("coinbase_candles_daily", "gate_candles_daily"):
            process.load(STEPS[name])
        landed = [process.load(STEPS[name], partition="day")[1].landed for name in ("coinbase_quotes", "gate_quotes")]
        return set(process.store.newest(find_dataset("coinbase", "order_books"))["symbol"]), sum(landed)

    first, landed = read_books()

    assert len(first) > 5
    assert landed > len(first)
    assert read_books() == (first, 0)


def test_order_books_wait_for_the_candles_they_are_chosen_by():
    candles = find_dataset("coinbase", "candles_daily")

    assert all(candles in step.needs for step in exchanges.STEPS if step.name.endswith("_quotes"))


def test_funding_is_asked_of_few_perpetuals_and_once_a_week(run):
    first = run(derivative_tokens=12)
    landed = first.load_all("_derivatives")
    history = first.asked("fundingRate", "funding-rate-history", "contract/funding-rates", "funding_rate")

    followed = sum(
        len(first.store.newest_market_dates(find_dataset(venue, "funding_rates"), by="market_id"))
        for venue in ("binance", "okx", "kucoin", "gate")
    )
    assert followed == 12
    assert history <= 12 * 5
    assert landed["okx/open_interest"].landed > 12  # what is open now comes for all of them

    daily = run(derivative_tokens=12)
    daily.load_all("_derivatives", last=SUNDAY + timedelta(days=1), partition="day")
    assert daily.asked("fundingRate", "funding-rate-history", "funding_rate", "openInterestHist") == 0

    weekly = run(derivative_tokens=12)
    weekly.load_all("_derivatives", last=SUNDAY + timedelta(days=7), partition="day")
    newest = weekly.store.newest_market_dates(find_dataset("binance", "funding_rates"), by="market_id")
    assert set(newest.values()) == {SUNDAY + timedelta(days=7)}


def test_funding_of_a_week_that_landed_in_part_is_asked_again(run):
    run(derivative_tokens=4).load_all("_derivatives")
    again = run(derivative_tokens=4)
    binance, wednesday = find_dataset("binance", "funding_rates"), SUNDAY + timedelta(days=3)
    until_the_kill = again.store.newest(binance).filter(pl.col("market_date") == SUNDAY)
    again.store.write(
        binance,
        until_the_kill.with_columns(market_date=wednesday),
        data_source="simulated",
        partition=wednesday.isoformat(),
        loaded_at=datetime.now(UTC),
        lag_hours=1,
    )

    again.load_all("_derivatives", last=SUNDAY + timedelta(days=7), partition="day")

    newest = again.store.newest_market_dates(binance, by="market_id")
    assert set(newest.values()) == {SUNDAY + timedelta(days=7)}


def test_a_perpetual_followed_later_lands_its_past_by_year(run):
    run(derivative_tokens=2).load_all("_derivatives")
    later = run(derivative_tokens=4)

    later.load_all("_derivatives", last=SUNDAY + timedelta(days=1), partition="day")

    partitions = {load.partition for load in later.store.loads(find_dataset("binance", "funding_rates"))}
    assert len(partitions) < 40
    assert {"2024"} <= partitions


def test_only_the_exchanges_of_the_settings_have_steps():
    settings = Settings(source="simulated", exchanges=("okx", "kraken"))

    assert {step.provider for step in exchanges.STEPS if step.is_on(settings)} == {"okx", "kraken"}
    off = Settings(source="simulated", okx=Settings().okx.model_dump() | {"enabled": False})
    assert "okx" not in {step.provider for step in exchanges.STEPS if step.is_on(off)}
