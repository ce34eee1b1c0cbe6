"""The ground truth of the exchanges: listings, outliers, gaps, books; and that it is cheap."""

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import httpx
import numpy as np
import pytest

from orchestration.sandbox.clock import SandboxClock
from orchestration.sandbox.defects import SPARED
from orchestration.sandbox.draws import normal, uniform
from orchestration.sandbox.exchange_books import liquidity, order_book
from orchestration.sandbox.exchange_listings import (
    BINANCE,
    BITSTAMP,
    COINBASE_EXCHANGE,
    GATE,
    KRAKEN,
    KUCOIN,
    OKX,
    VENUES,
)
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.market import SimulatedMarket, simulate_market
from orchestration.sandbox.runner import running_sandbox
from orchestration.sandbox.served import ServedMarket
from orchestration.sandbox.settings import DefectRates, SimulationSettings

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
OTHERS = [venue for venue in VENUES if venue is not BINANCE]


def exchange(market: SimulatedMarket, venue, now: datetime = NOW) -> ExchangeMarkets:
    return ExchangeMarkets(ServedMarket(market, SandboxClock(now)), venue)


def test_draws_belong_to_their_keys_whatever_was_drawn_before():
    days = np.arange(1000)

    assert uniform(7, 1, 2, days)[500] == uniform(7, 1, 2, 500)
    assert (uniform(7, 1, 2, days) != uniform(8, 1, 2, days)).all()
    assert (uniform(7, 1, 2, days) != uniform(7, 2, 1, days)).all()


def test_draws_have_the_distributions_they_are_named_after():
    flat, bell = uniform(7, 1, np.arange(100_000)), normal(7, 2, np.arange(100_000))

    # Standard errors: 0.0009 of the flat mean, 0.003 of the bell's, 0.002 of its deviation.
    assert flat.mean() == pytest.approx(0.5, abs=0.004)
    assert np.histogram(flat, bins=10, range=(0, 1))[0] == pytest.approx(10_000, rel=0.05)
    assert (bell.mean(), bell.std()) == (pytest.approx(0, abs=0.013), pytest.approx(1, abs=0.01))
    assert np.corrcoef(bell[1:], bell[:-1])[0, 1] == pytest.approx(0, abs=0.013)


def test_equal_seeds_give_equal_exchanges_and_others_do_not(market: SimulatedMarket):
    again, other = simulate_market(), simulate_market(SimulationSettings(seed=8))

    assert exchange(market, GATE).listings == exchange(again, GATE).listings
    assert [each.base for each in exchange(market, GATE).listings] != [
        each.base for each in exchange(other, GATE).listings
    ]


def test_exchanges_list_as_much_as_their_kind_does(market: SimulatedMarket):
    counts = {venue.name: len(exchange(market, venue).listings) for venue in VENUES}

    order = [GATE, KUCOIN, OKX, COINBASE_EXCHANGE, BITSTAMP]
    assert [venue.name for venue in order] == sorted((v.name for v in order), key=counts.get, reverse=True)
    assert counts["gate"] > 0.8 * len(market.members)
    assert counts["bitstamp"] < 0.25 * len(market.members)
    for venue in VENUES:
        bases = [listing.base for listing in exchange(market, venue).listings]
        assert len(set(bases)) == len(bases)
        assert {"BTC", "ETH", "USDC"} <= set(bases)
        assert ("USDT" in bases) == (venue.quote == "USD")


def test_a_token_is_listed_within_its_life_and_never_a_fake_one(market: SimulatedMarket):
    fakes = {token.symbol for token in market.members if token.is_fake_cap}

    for venue in VENUES:
        for listing in exchange(market, venue).listings:
            assert market.lifetimes.birth[listing.index] <= listing.first_day < listing.last_day
            assert listing.last_day <= market.lifetimes.last[listing.index]
            assert listing.base not in fakes


def test_no_more_than_the_volume_there_is_trades_on_the_exchanges(market: SimulatedMarket):
    total = np.zeros(len(market.members))

    for venue in VENUES:
        for listing in exchange(market, venue).listings:
            total[listing.index] += listing.share

    assert 0.2 < np.median(total) < 0.5
    assert total.max() < 0.95


def test_outliers_strike_one_exchange_at_a_time_as_often_as_the_settings_say(market: SimulatedMarket):
    found, listed_days = [], 0
    for venue in OTHERS:
        markets = exchange(market, venue)
        for listing in markets.listings:
            listed_days += listing.last_day - listing.first_day + 1
            found += [(venue.name, each) for each in markets.defects_of(listing) if each.kind == "outlier"]

    per_100_000 = 1e5 * len(found) / listed_days
    # One in six of those that strike a token's day lands on a given exchange.
    assert per_100_000 == pytest.approx(market.settings.defects.candle_bad_ticks / 6, rel=0.5)
    assert len({(each.index, each.day) for _, each in found}) == len(found)
    assert all(0.15 <= abs(each.factor - 1) <= 0.75 for _, each in found)
    assert not any(market.members[each.index].coin_id in SPARED for _, each in found)


def test_an_outlier_is_in_the_candle_and_gone_the_next_day(market: SimulatedMarket):
    markets = exchange(market, GATE, datetime(2025, 7, 7, tzinfo=UTC))
    listing, outlier = next(
        (listing, each)
        for listing in markets.listings
        for each in markets.defects_of(listing)
        if each.kind == "outlier" and each.day < listing.last_day - 1
    )

    days, rows = markets.candles(listing)
    place = int(np.flatnonzero(days == outlier.day)[0])

    true = market.panel.close[outlier.day, listing.index] / market.panel.usdt_rate[outlier.day]
    assert rows[place, 3] / true == pytest.approx(outlier.factor, rel=0.01)
    assert rows[place, 2] <= rows[place, 3] <= rows[place, 1]
    assert rows[place + 1, 0] == pytest.approx(true, rel=0.01)


def test_days_without_a_candle_are_those_listed_as_gaps(market: SimulatedMarket):
    markets = exchange(market, KUCOIN, datetime(2025, 7, 7, tzinfo=UTC))

    for listing in markets.listings:
        days, _ = markets.candles(listing)
        gaps = {each.day for each in markets.defects_of(listing) if each.kind == "gap"}
        assert set(range(listing.first_day, int(days[-1]) + 1)) - set(days.tolist()) == gaps


def test_exchanges_that_never_err_have_neither():
    market = simulate_market(SimulationSettings(tokens=60, end=date(2023, 6, 1), defects=DefectRates.none()))

    for venue in OTHERS:
        markets = exchange(market, venue)
        assert [each for listing in markets.listings for each in markets.defects_of(listing)] == []


def test_candles_are_whole_and_begin_where_the_last_ended(market: SimulatedMarket):
    for venue in (OKX, KRAKEN):
        markets = exchange(market, venue)
        for listing in markets.visible():
            days, rows = markets.candles(listing)
            opened, high, low, close, volume = rows.T
            assert (np.isfinite(rows) & (rows >= 0)).all()
            assert (low > 0).all()
            assert (low <= np.minimum(opened, close)).all()
            assert (high >= np.maximum(opened, close)).all()
            odd = {each.day for each in markets.defects_of(listing)}
            follows = [i for i in range(1, len(days)) if days[i] - days[i - 1] == 1 and days[i - 1] not in odd]
            assert opened[follows] == pytest.approx(close[np.array(follows, dtype=int) - 1], rel=1e-9)
            assert (volume >= 0).all()


def test_nothing_shows_what_the_clock_has_not_reached(market: SimulatedMarket):
    early, late = exchange(market, OKX, NOW - timedelta(days=100)), exchange(market, OKX)

    for listing in early.visible():
        days, rows = early.candles(listing)
        later_days, later_rows = late.candles(listing)
        closed = days < early.served.today()
        assert (days <= early.served.today()).all()
        assert (rows[closed] == later_rows[np.isin(later_days, days[closed])]).all()


def test_liquid_markets_have_narrow_spreads_and_deep_books(market: SimulatedMarket):
    markets = exchange(market, GATE)
    listings = markets.trading()

    turnover = np.array([markets.turnover_usd(listing) for listing in listings])
    states = [liquidity(markets, listing) for listing in listings]

    def rank_correlation(values: list[float]) -> float:
        return float(np.corrcoef(np.argsort(np.argsort(turnover)), np.argsort(np.argsort(values)))[0, 1])

    assert rank_correlation([state.spread for state in states]) < -0.95
    assert rank_correlation([state.bid_depth for state in states]) > 0.95
    assert all(0 < state.spread <= 0.03 for state in states)
    shares = [state.bid_depth / value for state, value in zip(states, turnover, strict=True) if value > 1e4]
    assert 0.002 < np.median(shares) < 0.03


def test_a_book_stands_still_within_an_hour_and_moves_with_the_next(market: SimulatedMarket):
    def bids(minutes: int) -> np.ndarray:
        markets = exchange(market, KRAKEN, NOW + timedelta(minutes=minutes))
        return order_book(markets, markets.find("BTC")).bids

    now, again, later = bids(0), bids(0), bids(60)

    assert (now == again).all()
    assert not np.array_equal(now, later)


def test_ten_times_the_tokens_cost_at_most_about_ten_times_as_much():
    def seconds(market) -> float:
        started = time.process_time()
        for venue in OTHERS:
            markets = exchange(market, venue, datetime(2022, 8, 1, tzinfo=UTC))
            listings = markets.trading()
            markets.quotations(listings)
            for listing in listings[:20]:
                markets.candles(listing)
        return time.process_time() - started

    small, large = (simulate_market(SimulationSettings(tokens=tokens, end=date(2022, 9, 1))) for tokens in (300, 3000))

    assert seconds(large) < 30 * seconds(small)
    assert sum(len(exchange(large, venue).listings) for venue in (GATE, BITSTAMP)) > 2500


@pytest.fixture(scope="module")
def renaming_market() -> SimulatedMarket:
    return simulate_market(SimulationSettings(tokens=60, identity_events=True))


def test_a_renamed_token_leaves_one_market_and_opens_another(renaming_market: SimulatedMarket):
    rename = renaming_market.events.filter(kind="rename", symbol="COBL").row(0, named=True)
    start = datetime.combine(rename["first_date"], datetime.min.time(), tzinfo=UTC)

    for venue in (BINANCE, GATE, KRAKEN):
        before = exchange(renaming_market, venue, start - timedelta(days=3))
        after = exchange(renaming_market, venue, start + timedelta(days=30))
        if before.find("COBL") is None:  # not every exchange lists it
            continue
        assert before.is_trading(before.find("COBL"))
        assert before.find("KEST") is None
        assert not after.is_trading(after.find("COBL"))
        assert after.find("KEST").index == before.find("COBL").index


def test_a_ticker_that_another_token_takes_over_has_both_histories(renaming_market: SimulatedMarket):
    markets = exchange(renaming_market, BINANCE, datetime(2025, 7, 1, tzinfo=UTC))
    others = [exchange(renaming_market, venue, datetime(2025, 7, 1, tzinfo=UTC)) for venue in OTHERS]

    spliced = [(one, one.find("LNET")) for one in [markets, *others] if one.find("LNET") and one.find("LNET").earlier]

    assert len(spliced) > 2
    for one, listing in spliced:
        days, rows = one.candles(listing)
        first = int(np.flatnonzero(days >= listing.first_day)[0])
        assert days[first - 1] <= listing.earlier.last_day < listing.first_day
        assert rows[first, 0] > 20 * rows[first - 1, 3]  # from what was left of the one to the other's first price
        assert (np.diff(days) > 0).all()


def test_binance_serves_the_spliced_market_as_one(renaming_market: SimulatedMarket, http: httpx.Client):
    with running_sandbox(renaming_market, datetime(2025, 7, 1, tzinfo=UTC)) as started:
        base = f"{started.url_for('api.binance.com')}/api/v3"
        symbols = {row["symbol"]: row["status"] for row in http.get(f"{base}/exchangeInfo").json()["symbols"]}
        klines = http.get(f"{base}/klines?symbol=LNETUSDT&interval=1d&startTime=0&limit=1000").json()

    assert (symbols["COBLUSDT"], symbols["KESTUSDT"], symbols["LNETUSDT"]) == ("BREAK", "TRADING", "TRADING")
    jump = max(float(after[1]) / float(before[4]) for before, after in pairwise(klines))
    assert jump > 20


def test_liquidity_follows_the_seven_days_that_are_over_and_not_the_day_that_is_not(market: SimulatedMarket):
    morning, evening = exchange(market, GATE), exchange(market, GATE, NOW + timedelta(hours=23))
    listing = morning.find("ETH")
    today = morning.served.today()

    volumes = market.panel.token(listing.index).volume[today - 7 : today]

    assert morning.turnover_usd(listing) == pytest.approx(listing.share * volumes.mean())
    assert evening.turnover_usd(listing) == morning.turnover_usd(listing)
