"""Perpetuals: documented shapes of each venue, days of payments, units of open interest."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.sources.errors import UnexpectedBodyError
from orchestration.sources.exchanges.client import VenueClient, VenueSettings
from orchestration.sources.exchanges.derivative_formats import FORMATS
from orchestration.sources.exchanges.derivatives import (
    daily_means,
    fetch_funding,
    fetch_open_interest_history,
    fetch_open_interest_now,
    fetch_perpetuals,
)
from orchestration.sources.exchanges.perpetuals import Perpetual, token_of
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.http import HttpLimits

NOW = datetime(2025, 1, 6, 0, 45, tzinfo=UTC)
LAST = date(2025, 1, 5)
MIDNIGHT_MS = 1736121600000  # 2025-01-06 00:00, the close of 2025-01-05
HOUR_MS = 3_600_000
BTC = Perpetual("BTC/USDT:USDT", "BTCUSDT", "BTC", 1.0)

LISTS = {
    "binance": {
        "symbols": [
            {"symbol": "1000PEPEUSDT", "contractType": "PERPETUAL", "baseAsset": "1000PEPE", "quoteAsset": "USDT",
             "status": "TRADING"},
            {"symbol": "OLDUSDT", "contractType": "PERPETUAL", "baseAsset": "OLD", "quoteAsset": "USDT",
             "status": "SETTLING"},
            {"symbol": "BTCUSDT_250328", "contractType": "CURRENT_QUARTER", "baseAsset": "BTC", "quoteAsset": "USDT",
             "status": "TRADING"},
        ]
    },
    "okx": {
        "code": "0",
        "data": [
            {"instId": "PEPE-USDT-SWAP", "ctType": "linear", "settleCcy": "USDT", "state": "live", "ctVal": "1000"},
            {"instId": "BTC-USD-SWAP", "ctType": "inverse", "settleCcy": "BTC", "state": "live", "ctVal": "100"},
        ],
    },
    "kucoin": {
        "code": "200000",
        "data": [
            {"symbol": "PEPEUSDTM", "baseCurrency": "PEPE", "settleCurrency": "USDT", "isInverse": False,
             "expireDate": None, "status": "Open", "multiplier": 1000, "openInterest": "20", "markPrice": 0.5},
            {"symbol": "XBTUSDM", "baseCurrency": "XBT", "settleCurrency": "XBT", "isInverse": True,
             "expireDate": None, "status": "Open", "multiplier": -1, "openInterest": "1", "markPrice": 1},
        ],
    },
    "gate": [
        {"name": "PEPE_USDT", "quanto_multiplier": "1000", "in_delisting": False, "position_size": 20,
         "mark_price": "0.5"},
        {"name": "OLD_USDT", "quanto_multiplier": "1", "in_delisting": True, "position_size": 1, "mark_price": "1"},
    ],
}  # fmt: skip

FUNDING = {
    "binance": [{"symbol": "BTCUSDT", "fundingTime": MIDNIGHT_MS + 3, "fundingRate": "0.0001", "markPrice": "1"}],
    "okx": {
        "data": [{"instId": "x", "fundingTime": str(MIDNIGHT_MS), "fundingRate": "0.0002", "realizedRate": "0.0001"}]
    },
    "kucoin": {"data": [{"symbol": "XBTUSDTM", "fundingRate": 1.0e-4, "timepoint": MIDNIGHT_MS}]},
    "gate": [{"t": MIDNIGHT_MS // 1000, "r": "0.0001"}],
}

STANDINGS = {
    "binance": [{"symbol": "x", "sumOpenInterest": "20", "sumOpenInterestValue": "10000", "timestamp": MIDNIGHT_MS}],
    "okx": {"data": [[str(MIDNIGHT_MS), "20", "20000", "10000"]]},
    "gate": [{"time": MIDNIGHT_MS // 1000, "open_interest": "20", "open_interest_usd": "10000"}],
}


class FakeVenue:
    """Gives one answer to whatever call is made, and notes the queries."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.queries: list[dict] = []

    def __getattr__(self, name: str):
        if name.startswith("__") or name == "urls":
            raise AttributeError(name)

        async def call(query=None):
            self.queries.append(query or {})
            return self.answer(query) if callable(self.answer) else self.answer

        return call


def client_of(venue: str, answer) -> tuple[VenueClient, FakeVenue]:
    fake = FakeVenue(answer)
    limits = HttpLimits(attempts=2, first_pause_seconds=0.0)
    return VenueClient(VENUES[venue], fake, VenueSettings(limits=limits), jitter=lambda: 0.0), fake


@pytest.mark.parametrize("venue", FORMATS)
def test_perpetuals_that_trade_against_usdt_are_listed(venue):
    client, _ = client_of(venue, LISTS[venue])

    listed = asyncio.run(fetch_perpetuals(client, now=NOW))

    (perpetual,) = listed.found
    assert perpetual.symbol == "PEPE"
    assert perpetual.tokens_per_contract == 1000
    assert perpetual.market_id == ("1000PEPE/USDT:USDT" if venue == "binance" else "PEPE/USDT:USDT")
    assert listed.rejected == ()


@pytest.mark.parametrize("venue", ["kucoin", "gate"])
def test_what_is_open_now_comes_with_the_list(venue):
    client, fake = client_of(venue, LISTS[venue])

    listed = asyncio.run(fetch_perpetuals(client, now=NOW))
    fetched = asyncio.run(fetch_open_interest_now(client, listed.found, now=NOW))

    row = fetched.frame.row(0, named=True)
    assert (row["open_interest_base"], row["open_interest_usd"], row["market_date"]) == (20_000.0, 10_000.0, LAST)
    assert len(fake.queries) == 1


def test_okx_tells_what_is_open_now_of_all_perpetuals_in_one_answer():
    perpetual = Perpetual("PEPE/USDT:USDT", "PEPE-USDT-SWAP", "PEPE", 1000.0)
    rows = [
        {"instId": "PEPE-USDT-SWAP", "oi": "20", "oiCcy": "20000", "oiUsd": "10000", "ts": str(MIDNIGHT_MS)},
        {"instId": "OTHER-USDT-SWAP", "oi": "1", "oiCcy": "1", "oiUsd": "1", "ts": str(MIDNIGHT_MS)},
        "damaged",
    ]
    client, _ = client_of("okx", {"code": "0", "data": rows})

    fetched = asyncio.run(fetch_open_interest_now(client, [perpetual], now=NOW))

    assert fetched.frame.row(0, named=True)["open_interest_usd"] == 10_000.0
    assert len(fetched.rejected) == 1


@pytest.mark.parametrize("venue", STANDINGS)
def test_history_of_open_interest_closes_the_day_before_its_midnight(venue):
    perpetual = Perpetual("PEPE/USDT:USDT", "x", "PEPE", 1000.0)
    client, _ = client_of(venue, STANDINGS[venue])

    found = asyncio.run(fetch_open_interest_history(client, [perpetual], starts={}, last=LAST, now=NOW))

    row = found.fetched.frame.row(0, named=True)
    assert (row["market_date"], row["open_interest_base"], row["open_interest_usd"]) == (LAST, 20_000.0, 10_000.0)


@pytest.mark.parametrize("venue", FORMATS)
def test_a_payment_at_midnight_belongs_to_the_day_it_closes(venue):
    client, _ = client_of(venue, FUNDING[venue])

    found = asyncio.run(fetch_funding(client, [BTC], starts={}, default_start=LAST, last=LAST, now=NOW))

    row = found.fetched.frame.row(0, named=True)
    assert (row["market_date"], row["funding_rate"], row["settlements"]) == (LAST, 0.0001, 1)


@pytest.mark.parametrize("venue", FORMATS)
@pytest.mark.parametrize("answer", ["", "<html>", None, {"code": "0", "data": ""}])
def test_an_answer_that_is_no_list_is_an_error_and_no_missing_funding(venue, answer):
    client, _ = client_of(venue, answer)

    with pytest.raises(UnexpectedBodyError):
        asyncio.run(fetch_funding(client, [BTC], starts={}, default_start=LAST, last=LAST, now=NOW))


@pytest.mark.parametrize("is_newest_first", [True, False])
def test_history_is_paged_to_its_whole_length(is_newest_first):
    first = LAST - timedelta(days=79)
    times = [MIDNIGHT_MS - 8 * HOUR_MS * number for number in range(80 * 3)]

    def answer(query):
        if is_newest_first:
            found = [time for time in times if query["before"] < time < query["after"]][: query["limit"]]
            return {"data": [{"fundingTime": str(time), "realizedRate": "0.0001"} for time in found]}
        found = sorted(time for time in times if query["startTime"] <= time <= query["endTime"])[:100]
        return [{"fundingTime": time, "fundingRate": "0.0001"} for time in found]

    client, fake = client_of("okx" if is_newest_first else "binance", answer)

    found = asyncio.run(fetch_funding(client, [BTC], starts={}, default_start=first, last=LAST, now=NOW))

    frame = found.fetched.frame
    assert frame.height == 80
    assert (frame["market_date"].min(), frame["market_date"].max()) == (first, LAST)
    assert set(frame["settlements"]) == {3}
    assert set(frame["interval_hours"]) == {8.0}
    assert len(fake.queries) == 3


def payments(*hours_and_rates: tuple[float, float]) -> pl.DataFrame:
    """Payments at hours since 2025-01-05 00:00."""
    start = MIDNIGHT_MS - 24 * HOUR_MS
    return pl.DataFrame(
        {
            "market_id": "BTC/USDT:USDT",
            "symbol": "BTC",
            "at_ms": [int(start + hour * HOUR_MS) for hour, _ in hours_and_rates],
            "funding_rate": [rate for _, rate in hours_and_rates],
        }
    )


def test_a_day_is_the_mean_of_its_payments_with_their_interval():
    frame = daily_means(payments((8, 0.0001), (16, 0.0002), (24, 0.0006), (28, 0.001), (32, 0.002)))

    assert frame.select("market_date", "interval_hours", "settlements").rows() == [
        (LAST, 8.0, 3),
        (LAST + timedelta(days=1), 4.0, 2),
    ]
    assert frame["funding_rate"].to_list() == pytest.approx([0.0003, 0.0015])


def test_a_payment_that_comes_some_milliseconds_late_stays_in_its_day():
    frame = daily_means(payments((8, 0.0001), (16, 0.0001), (24 + 20 / 3_600_000, 0.0004)))

    assert frame["settlements"].to_list() == [3]


@pytest.mark.parametrize("hours", [(8, 24), (16, 24), (8, 16), (4, 8, 12, 20, 24)])
def test_a_day_that_may_lack_a_refused_payment_has_no_mean(hours):
    whole = (
        [(hour + 24, 0.0001) for hour in (4, 8, 12, 16, 20, 24)]
        if len(hours) > 3
        else [(hour + 24, 0.0001) for hour in (8, 16, 24)]
    )
    spoiled = payments(*((hour, 0.0001) for hour in hours), *whole)

    frame = daily_means(spoiled, spoiled=["BTC/USDT:USDT"])

    assert frame["market_date"].to_list() == [LAST + timedelta(days=1)]


@pytest.mark.parametrize(
    ("base", "token"),
    [
        ("BTC", ("BTC", 1)),
        ("1000PEPE", ("PEPE", 1000)),
        ("1MBABYDOGE", ("BABYDOGE", 1_000_000)),
        ("1INCH", ("1INCH", 1)),
    ],
)
def test_contracts_on_thousands_are_about_the_token(base, token):
    assert token_of(base) == token
