"""What all exchanges of the sandbox have in common, asked through the ccxt client of each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from orchestration.sandbox.exchange_books import liquidity
from orchestration.sandbox.exchange_listings import BITSTAMP, COINBASE_EXCHANGE, GATE, KRAKEN, KUCOIN, OKX, Venue
from orchestration.sandbox.exchange_markets import ExchangeMarkets
from orchestration.sandbox.faults import FaultKind, FaultPlan
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox
from orchestration.sandbox.served import ServedMarket

DAY = 86_400_000
CCXT_NAMES = {"coinbase": "coinbaseexchange"}
KEEPS_ENDED_MARKETS = {COINBASE_EXCHANGE.name, GATE.name, BITSTAMP.name}

every_venue = pytest.mark.parametrize(
    "venue", [OKX, COINBASE_EXCHANGE, KUCOIN, GATE, KRAKEN, BITSTAMP], ids=lambda venue: venue.name
)


def ccxt_name(venue: Venue) -> str:
    return CCXT_NAMES.get(venue.name, venue.name)


def truth_of(sandbox: RunningSandbox, venue: Venue) -> ExchangeMarkets:
    return ExchangeMarkets(ServedMarket(sandbox.app.market, sandbox.clock), venue)


async def page_through(exchange: Any, symbol: str, since: int) -> list[list[float]]:
    """All candles from an instant on, `since` moved behind the last one until nothing comes."""
    found: list[list[float]] = []
    while page := await exchange.fetch_ohlcv(symbol, "1d", since):
        found += page
        since = page[-1][0] + DAY
    return found


@every_venue
def test_the_list_of_markets_is_that_of_the_ground_truth(venue: Venue, sandbox: RunningSandbox, ask):
    markets = truth_of(sandbox, venue)

    listed = ask(ccxt_name(venue), lambda exchange: exchange.load_markets())

    active = {symbol for symbol, market in listed.items() if market["active"]}
    assert active == {f"{listing.base}/{venue.quote}" for listing in markets.trading()}
    there = markets.visible() if venue.name in KEEPS_ENDED_MARKETS else markets.trading()
    assert set(listed) == {f"{listing.base}/{venue.quote}" for listing in there}
    assert {f"BTC/{venue.quote}", f"ETH/{venue.quote}"} <= active
    assert len(active) < len(sandbox.app.market.members)


@every_venue
def test_tickers_show_the_last_prices_of_all_trading_markets(venue: Venue, sandbox: RunningSandbox, ask):
    markets = truth_of(sandbox, venue)

    tickers = ask(ccxt_name(venue), lambda exchange: exchange.fetch_tickers())

    listings = markets.trading()
    assert set(tickers) == {f"{listing.base}/{venue.quote}" for listing in listings}
    for listing, quoted in zip(listings, markets.quotations(listings), strict=True):
        ticker = tickers[f"{listing.base}/{venue.quote}"]
        assert ticker["last"] == pytest.approx(quoted.last, rel=1e-5)
        if venue is COINBASE_EXCHANGE:  # its list has the last price and nothing else
            assert ticker["bid"] is None
            assert ticker["quoteVolume"] is None
        else:
            assert ticker["bid"] <= ticker["last"] <= ticker["ask"]
            assert ticker["baseVolume"] == pytest.approx(quoted.base_volume, rel=1e-3, abs=1e-7)


@every_venue
def test_paging_through_candles_gives_every_day_of_the_ground_truth_once(venue: Venue, sandbox: RunningSandbox, ask):
    markets = truth_of(sandbox, venue)
    listing = markets.find("ETH")
    days, rows = markets.candles(listing)
    start = int(markets.served.milliseconds_at(0))

    candles = ask(ccxt_name(venue), lambda exchange: page_through(exchange, f"ETH/{venue.quote}", start))

    reach = 720 if venue is KRAKEN else len(days)
    assert [candle[0] for candle in candles] == list(markets.served.milliseconds_at(days))[-reach:]
    assert np.array(candles)[:, 1:] == pytest.approx(rows[-reach:], rel=1e-5)


@every_venue
def test_the_newest_candle_is_unfinished_and_the_others_never_change(venue: Venue, sandbox: RunningSandbox, ask):
    async def newest(exchange: Any) -> list[list[float]]:
        return (await exchange.fetch_ohlcv(f"BTC/{venue.quote}", "1d"))[-30:]

    first = ask(ccxt_name(venue), newest)
    sandbox.clock.advance(timedelta(hours=6))
    later = ask(ccxt_name(venue), newest)
    sandbox.clock.advance(timedelta(days=1))
    next_day = ask(ccxt_name(venue), newest)

    assert first[-1][0] == datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000
    assert first[-1][5] < 0.1 * first[-2][5]
    assert later[:-1] == first[:-1]
    assert later[-1] != first[-1]
    assert later[-1][1] == first[-1][1] == pytest.approx(first[-2][4], rel=1e-9)
    assert next_day[:-2] == later[1:-1]


@every_venue
def test_the_book_adds_up_to_the_depth_within_two_percent(venue: Venue, sandbox: RunningSandbox, ask):
    markets = truth_of(sandbox, venue)
    listing = min(markets.trading(), key=lambda each: abs(liquidity(markets, each).levels - 60))
    state = liquidity(markets, listing)
    limit = {"okx": 400, "gate": 1000, "kraken": 500}.get(venue.name)

    book = ask(ccxt_name(venue), lambda exchange: exchange.fetch_order_book(f"{listing.base}/{venue.quote}", limit))

    bids, asks = ([level[:2] for level in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    middle = (bids[0][0] + asks[0][0]) / 2
    assert middle == pytest.approx(state.mid, rel=1e-4)
    assert (asks[0][0] - bids[0][0]) / middle == pytest.approx(state.spread, rel=0.02)
    edge = 0.02 * (1 - 1e-6) * state.mid
    for levels, depth in ((bids, state.bid_depth), (asks, state.ask_depth)):
        value = sum(price * amount for price, amount in levels if abs(price - state.mid) < edge)
        assert value == pytest.approx(depth, rel=1e-3)


@every_venue
def test_a_market_that_was_delisted_trades_no_more(venue: Venue, sandbox: RunningSandbox, ask):
    markets = truth_of(sandbox, venue)
    listing = next(each for each in markets.listings if each.is_delisted)
    last = datetime.combine(sandbox.app.market.settings.start, datetime.min.time(), tzinfo=UTC) + timedelta(
        days=listing.last_day
    )
    symbol = f"{listing.base}/{venue.quote}"

    def is_active() -> bool:
        return ask(ccxt_name(venue), lambda exchange: exchange.load_markets()).get(symbol, {}).get("active", False)

    sandbox.clock.now = last + timedelta(hours=12)
    assert is_active()
    sandbox.clock.now = last + timedelta(days=1, hours=12)
    assert not is_active()
    assert sandbox.app.market.lifetimes.last[listing.index] > listing.last_day


UNKNOWN_MARKET = {
    "okx": ("publicGetMarketCandles", {"instId": "NOPE-USDT", "bar": "1Dutc"}, "BadSymbol"),
    "coinbase": ("publicGetProductsIdCandles", {"id": "NOPE-USD", "granularity": 86400}, "OrderNotFound"),
    "kucoin": ("publicGetMarketCandles", {"symbol": "NOPE-USDT", "type": "1day"}, "BadSymbol"),
    "gate": ("publicSpotGetCandlesticks", {"currency_pair": "NOPE_USDT", "interval": "1d"}, "BadSymbol"),
    "kraken": ("publicGetOHLC", {"pair": "NOPEUSD", "interval": 1440}, "ExchangeError"),
    "bitstamp": ("publicGetOhlcPair", {"pair": "nopeusd", "step": 86400, "limit": 10}, "ExchangeError"),
}


@every_venue
def test_an_unknown_market_is_refused_as_the_exchange_does(venue: Venue, ask):
    call, params, expected = UNKNOWN_MARKET[venue.name]

    with pytest.raises(Exception, match=r".") as refusal:
        ask(ccxt_name(venue), lambda exchange: getattr(exchange, call)(params))

    assert type(refusal.value).__name__ == expected


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        (OKX, "RateLimitExceeded"),
        (COINBASE_EXCHANGE, "RateLimitExceeded"),
        (KUCOIN, "RateLimitExceeded"),
        (GATE, "RateLimitExceeded"),
        (KRAKEN, "DDoSProtection"),
        (BITSTAMP, "ExchangeError"),  # ccxt reads its body before its status
    ],
)
def test_a_rate_limit_has_the_class_that_ccxt_gives_it(venue: Venue, expected: str, sandbox: RunningSandbox, ask):
    for rule in FaultPlan.from_text(f"{venue.name}:rate_limited").rules:
        sandbox.faults.add(rule)

    with pytest.raises(Exception, match=r"(?i)limit|too many|429") as refusal:
        ask(ccxt_name(venue), lambda exchange: exchange.fetch_tickers())

    assert type(refusal.value).__name__ == expected


@every_venue
def test_ccxt_makes_no_error_of_a_body_that_is_no_json(venue: Venue, sandbox: RunningSandbox, ask):
    """A trap for adapters, kept here so that an upgrade of ccxt that closes it is noticed."""

    async def candles(exchange: Any) -> tuple[list, str]:
        await exchange.load_markets()
        for rule in FaultPlan.from_text(f"{venue.name}:{FaultKind.HTML_PAGE}").rules:
            sandbox.faults.add(rule)
        return await exchange.fetch_ohlcv(f"BTC/{venue.quote}", "1d"), exchange.last_http_response

    page, body = ask(ccxt_name(venue), candles)

    assert body.startswith("<!DOCTYPE html>")
    # Where the good answer is a bare list, every letter of the page becomes a candle of nothing.
    assert bool(page) == (venue in (COINBASE_EXCHANGE, GATE))
    assert not any(candle[1] for candle in page)


def test_one_price_stands_behind_all_exchanges(market: SimulatedMarket, sandbox: RunningSandbox):
    closes = {}
    for venue in (OKX, COINBASE_EXCHANGE, KUCOIN, GATE, KRAKEN, BITSTAMP):
        markets = truth_of(sandbox, venue)
        days, rows = markets.candles(markets.find("ETH"))
        rate = market.panel.usdt_rate[days] if venue.quote == "USDT" else 1.0
        closes[venue.name] = (rows[:, 3] * rate)[:-1]
    true = market.daily.filter(coin_id="ethereum")["price_usd"].to_numpy()[: len(closes["okx"])]

    for close in closes.values():
        basis_points = 1e4 * (close / true - 1)
        assert abs(basis_points.mean()) < 5
        assert 1 < basis_points.std() < 15
