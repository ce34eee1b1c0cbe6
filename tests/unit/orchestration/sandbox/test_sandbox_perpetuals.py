"""Funding and open interest, through ccxt and against the ground truth; and that they foretell nothing."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.exchange_books import liquidity
from orchestration.sandbox.exchange_listings import BINANCE, GATE, KUCOIN, OKX, Venue
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.exchange_perpetuals import Perpetual, Perpetuals
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import SimulationSettings

DAY = 86_400_000
HOUR = 3_600_000

every_venue = pytest.mark.parametrize("venue", [BINANCE, OKX, GATE, KUCOIN], ids=lambda venue: venue.name)


def types_of(venue: Venue) -> tuple[str, ...]:
    return ("linear",) if venue is BINANCE else ("swap",)


def perpetuals_of(market: SimulatedMarket, venue: Venue, now: datetime) -> Perpetuals:
    return Perpetuals(ExchangeMarkets(ServedMarket(market, SandboxClock(now)), venue))


def multiple(market: SimulatedMarket, contract: Perpetual, venue: Venue) -> int:
    """Binance trades cheap tokens by the thousand."""
    is_cheap = market.members[contract.listing.index].opening_price_usd < 0.05
    return 1000 if venue is BINANCE and is_cheap else 1


def symbol_of(market: SimulatedMarket, contract: Perpetual, venue: Venue) -> str:
    prefix = "1000" if multiple(market, contract, venue) == 1000 else ""
    return f"{prefix}{contract.listing.base}/USDT:USDT"


@every_venue
def test_current_funding_of_all_contracts_comes_in_one_answer(venue: Venue, sandbox: RunningSandbox, ask):
    perpetuals = perpetuals_of(sandbox.app.market, venue, sandbox.clock.now)

    rates = ask(venue.name, lambda exchange: exchange.fetch_funding_rates(), types=types_of(venue))

    by_symbol = {symbol_of(sandbox.app.market, each, venue): each for each in perpetuals.trading()}
    assert set(rates) == set(by_symbol)
    assert len({each.interval_hours for each in by_symbol.values()}) > 1
    for symbol, contract in by_symbol.items():
        coming = perpetuals.next_funding_time(contract)
        expected = float(perpetuals.funding_rates(contract, np.array([coming]))[0])
        assert rates[symbol]["fundingRate"] == pytest.approx(expected, abs=1e-8)
        assert rates[symbol]["fundingTimestamp"] == coming
        if venue is not BINANCE:  # whose list of rates has no interval
            assert rates[symbol]["interval"] == f"{contract.interval_hours}h"


def test_binance_lists_only_intervals_that_are_not_eight_hours(sandbox: RunningSandbox, ask):
    perpetuals = perpetuals_of(sandbox.app.market, BINANCE, sandbox.clock.now)

    intervals = ask("binance", lambda exchange: exchange.fetch_funding_intervals(), types=("linear",))

    expected = {
        symbol_of(sandbox.app.market, each, BINANCE): f"{each.interval_hours}h"
        for each in perpetuals.trading()
        if each.interval_hours != 8
    }
    assert {symbol: rate["interval"] for symbol, rate in intervals.items()} == expected
    assert expected


@every_venue
def test_paging_through_the_history_of_funding_gives_every_payment_once(venue: Venue, sandbox: RunningSandbox, ask):
    perpetuals = perpetuals_of(sandbox.app.market, venue, sandbox.clock.now)
    contract = next(each for each in perpetuals.trading() if each.interval_hours == 4)
    since = sandbox.clock.milliseconds - 40 * DAY

    async def history(exchange: Any) -> list[dict]:
        found, start = [], since
        symbol = symbol_of(sandbox.app.market, contract, venue)
        while start <= sandbox.clock.milliseconds:
            # The newest of a range come where there are too many, so the range has to fit one page.
            until = start + 100 * 4 * HOUR - 1
            params = {"until": until} if venue is not OKX else {"after": until + 1}
            found += await exchange.fetch_funding_rate_history(symbol, start, 100, params)
            start = until + 1
        return found

    rows = ask(venue.name, history, types=types_of(venue))

    times = perpetuals.funding_times(contract)
    times = times[times >= since]
    assert [row["timestamp"] for row in rows] == times.tolist()
    assert [row["fundingRate"] for row in rows] == pytest.approx(
        perpetuals.funding_rates(contract, times).tolist(), abs=1e-8
    )


@every_venue
def test_open_interest_is_the_same_value_in_each_exchanges_unit(venue: Venue, sandbox: RunningSandbox, ask):
    market = sandbox.app.market
    perpetuals = perpetuals_of(market, venue, sandbox.clock.now)
    contract = next(
        each for each in perpetuals.trading() if multiple(market, each, BINANCE) == 1000 and each.contract_size > 1
    )
    since = sandbox.clock.milliseconds - 20 * DAY

    rows = ask(
        venue.name,
        lambda exchange: exchange.fetch_open_interest_history(
            symbol_of(market, contract, venue), "1d", since, 20, {"period": "1Dutc"} if venue is OKX else {}
        ),
        types=types_of(venue),
    )

    times = np.array([row["timestamp"] for row in rows])
    usd, price = perpetuals.open_interest_usd(contract, times), perpetuals.price_usd(contract, times)
    unit = multiple(market, contract, venue) if venue is BINANCE else contract.contract_size
    assert times.tolist() == [since - since % DAY + day * DAY for day in range(1, 21)]
    assert [row["openInterestAmount"] for row in rows] == pytest.approx((usd / price / unit).tolist(), rel=1e-3)
    if venue is not KUCOIN:  # which knows contracts only
        assert [row["openInterestValue"] for row in rows] == pytest.approx(usd.tolist(), rel=1e-6)


def test_a_plain_day_of_okx_is_one_of_hong_kong(sandbox: RunningSandbox, ask):
    market = sandbox.app.market
    contract = next(iter(perpetuals_of(market, OKX, sandbox.clock.now).trading()))
    since = sandbox.clock.milliseconds - 5 * DAY

    rows = ask(
        "okx",
        lambda exchange: exchange.fetch_open_interest_history(symbol_of(market, contract, OKX), "1d", since, 3),
        types=types_of(OKX),
    )

    assert {row["timestamp"] % DAY for row in rows} == {16 * 3_600_000}


@pytest.mark.parametrize("venue", [OKX, KUCOIN], ids=lambda venue: venue.name)
def test_current_open_interest_of_all_contracts_comes_in_one_answer(venue: Venue, sandbox: RunningSandbox, ask):
    perpetuals = perpetuals_of(sandbox.app.market, venue, sandbox.clock.now)

    rows = ask(venue.name, lambda exchange: exchange.fetch_open_interests(), types=("swap",))

    now = np.array([sandbox.clock.milliseconds])
    for contract in perpetuals.trading():
        tokens = perpetuals.open_interest_usd(contract, now)[0] / perpetuals.price_usd(contract, now)[0]
        row = rows[symbol_of(sandbox.app.market, contract, venue)]
        assert row["openInterestAmount"] == pytest.approx(tokens / contract.contract_size, rel=0.01, abs=1)


def test_binance_keeps_open_interest_for_thirty_days(sandbox: RunningSandbox, ask):
    async def history(exchange: Any, days: int) -> list:
        since = sandbox.clock.milliseconds - days * DAY
        return await exchange.fetch_open_interest_history("BTC/USDT:USDT", "1d", since, 500)

    assert len(ask("binance", lambda exchange: history(exchange, 30), types=("linear",))) == 30
    with pytest.raises(Exception, match="startTime"):
        ask("binance", lambda exchange: history(exchange, 31), types=("linear",))


def test_kucoin_mixes_indices_among_its_contracts_and_ccxt_leaves_them_out(sandbox: RunningSandbox, ask):
    async def both(exchange: Any) -> tuple[list, dict]:
        rates = await exchange.fetch_funding_rates()
        return json.loads(exchange.last_http_response)["data"], rates

    rows, rates = ask("kucoin", both, types=("swap",))

    assert [row["symbol"] for row in rows if row["symbol"].startswith(".")]
    assert len(rates) < len(rows)


def test_funding_follows_the_momentum_of_the_past(market: SimulatedMarket):
    now = datetime(2025, 1, 6, tzinfo=UTC)
    perpetuals = perpetuals_of(market, BINANCE, now)
    rates, momentum = [], []
    for contract in perpetuals.trading():
        times = perpetuals.funding_times(contract)[-1:]
        day = perpetuals.markets.served.today() - 1
        close = market.panel.close[:, contract.listing.index]
        rates.append(float(perpetuals.funding_rates(contract, times)[0]) * 8 / contract.interval_hours)
        deviation = np.diff(np.log(close[day - 30 : day + 1])).std()
        momentum.append(np.log(close[day] / close[day - 7]) / deviation)

    assert np.corrcoef(rates, momentum)[0, 1] > 0.6


def test_the_estimate_of_a_payment_to_come_knows_nothing_of_later_prices(market: SimulatedMarket):
    evening = datetime(2025, 1, 6, 20, tzinfo=UTC)
    perpetuals = perpetuals_of(market, BINANCE, evening)
    contract = perpetuals.find("BTC")
    coming = np.array([perpetuals.next_funding_time(contract)])

    estimate = perpetuals.funding_rates(contract, coming)
    at_noon = perpetuals_of(market, BINANCE, evening - timedelta(hours=3)).funding_rates(contract, coming)
    settled = perpetuals_of(market, BINANCE, evening + timedelta(hours=5)).funding_rates(contract, coming)

    assert estimate == at_noon  # the same closed days are known
    assert estimate != settled


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


def weekly_rank_ics(market: SimulatedMarket) -> dict[str, list[float]]:
    """Rank IC of what the exchanges tell with the log return of the next 14 days, every second Monday."""
    found: dict[str, list[float]] = {name: [] for name in ("funding", "open_interest_change", "depth", "spread")}
    start = datetime.combine(market.settings.start, datetime.min.time(), tzinfo=UTC)
    for week in range(8, (market.settings.day_count - 20) // 7, 2):
        now = start + timedelta(weeks=week)
        perpetuals = perpetuals_of(market, GATE, now)
        day = perpetuals.markets.served.today() - 1
        columns: dict[str, list[float]] = {name: [] for name in found}
        returns = []
        for contract in perpetuals.trading():
            listing = contract.listing
            close = market.panel.token(listing.index).close
            if day - 30 < listing.first_day or not np.isfinite(close[day + 14]):
                continue
            last = int(perpetuals.markets.served.milliseconds_at(day + 1))
            open_interest = perpetuals.open_interest_usd(contract, np.array([last - 14 * DAY, last]))
            state = liquidity(perpetuals.markets, listing)
            turnover = perpetuals.markets.turnover_usd(listing)
            columns["funding"].append(float(perpetuals.funding_rates(contract, np.array([last]))[0]))
            columns["open_interest_change"].append(open_interest[1] / open_interest[0])
            columns["depth"].append(state.bid_depth / turnover)
            columns["spread"].append(state.spread * turnover**0.35)
            returns.append(np.log(close[day + 14] / close[day]))
        for name, values in columns.items():
            found[name].append(float(np.corrcoef(ranks(values), ranks(returns))[0, 1]))
    return found


@pytest.mark.slow
def test_in_the_null_market_nothing_the_exchanges_tell_ranks_what_comes():
    """A drill: two markets of two years. That the prices of a null market rank nothing is held by the tests."""
    by_seed = [
        weekly_rank_ics(simulate_market(SimulationSettings(seed=seed, is_null=True, tokens=160, end=date(2024, 1, 1))))
        for seed in (4, 5)
    ]

    for name in by_seed[0]:
        ics = [ic for one in by_seed for ic in one[name]]
        # The weeks are 14 days apart, so windows do not overlap and the standard error is that of independent draws.
        assert abs(np.mean(ics)) < 3 * np.std(ics) / np.sqrt(len(ics)), name
        assert abs(np.mean(ics)) < 0.04, name
