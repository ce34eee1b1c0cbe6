"""Paging through candles: venues that cap as they like, newest first or oldest first, markets that fail."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import ccxt.async_support as ccxt
import polars as pl
import pytest

from orchestration.sources.errors import AccessRestrictedError, RequestRejectedError, SourceUnavailableError
from orchestration.sources.exchanges.candles import BATCH_MARKETS, OTHERS, fetch_candles
from orchestration.sources.exchanges.client import VenueClient, VenueSettings
from orchestration.sources.exchanges.markets import Market
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.http import HttpLimits

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
TODAY, LAST = date(2025, 1, 6), date(2025, 1, 5)
DAY_SECONDS = 86_400


def market(name: str) -> Market:
    return Market(f"{name}/USDT", name, name, "USDT", is_active=True)


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


class FakeVenue:
    """Serves candles of given days to the raw calls of binance, kucoin, gate and kraken, at most `cap` rows at once."""

    def __init__(
        self, listed: dict[str, list[date]], *, cap: int = 1000, errors: list[Exception] | None = None
    ) -> None:
        self.listed = listed
        self.cap = cap
        self.errors = errors or []
        self.asked: list[tuple[str, date, date | None]] = []

    def _days(self, name: str, first: int, last: int | None) -> list[date]:
        until = None if last is None else datetime.fromtimestamp(last, UTC).date()
        self.asked.append((name, datetime.fromtimestamp(first, UTC).date(), until))
        if self.errors:
            raise self.errors.pop(0)
        return [day for day in self.listed[name] if seconds(day) >= first and (last is None or seconds(day) <= last)]

    async def publicGetKlines(self, query):  # noqa: N802 - ccxt's name
        await asyncio.sleep(0)
        found = self._days(query["symbol"], query["startTime"] // 1000, None)[: self.cap]
        return [[seconds(day) * 1000, "10", "12", "9", "11", "5", 0, "52.5"] for day in found]

    async def publicGetMarketCandles(self, query):  # noqa: N802 - ccxt's name
        await asyncio.sleep(0)
        found = self._days(query["symbol"], query["startAt"], query["endAt"] - 1)[::-1][: self.cap]
        return {"code": "200000", "data": [[str(seconds(day)), "10", "11", "12", "9", "5", "52.5"] for day in found]}

    async def publicSpotGetCandlesticks(self, query):  # noqa: N802 - ccxt's name
        await asyncio.sleep(0)
        found = self._days(query["currency_pair"], query["from"], query["to"])[: self.cap]
        return [[str(seconds(day)), "52.5", "11", "12", "9", "10", "5", "true"] for day in found]

    async def publicGetOHLC(self, query):  # noqa: N802 - ccxt's name
        await asyncio.sleep(0)
        found = self._days(query["pair"], int(query["since"]), None)[-self.cap :]
        rows = [[seconds(day), "10", "12", "9", "11", "10.5", "5", 3] for day in found]
        return {"error": [], "result": {query["pair"]: rows, "last": 0}}


def fetch(fake, names, *, venue="binance", starts=None, first=date(2024, 12, 1), **limits):
    """All rounds of a load; rows, failures and rounds."""
    quick = HttpLimits(first_pause_seconds=0.0, rate_limited_pause_seconds=0.0, **limits)
    client = VenueClient(VENUES[venue], fake, VenueSettings(concurrency=1, limits=quick), jitter=lambda: 0.0)

    async def run():
        return [
            batch
            async for batch in fetch_candles(
                client, [market(name) for name in names], starts=starts or {}, default_start=first, last=LAST, now=NOW
            )
        ]

    rounds = asyncio.run(run())
    failures = {name: error for each in rounds for name, error in each.failures.items()}
    return pl.concat([each.fetched.frame for each in rounds]) if rounds else None, failures, rounds


@pytest.mark.parametrize("venue", ["binance", "kucoin", "gate"])
@pytest.mark.parametrize("cap", [1000, 25, 10])
def test_every_finished_day_is_read_once_whatever_the_cap(venue, cap):
    wanted = days(date(2024, 6, 1), LAST)

    frame, failures, _ = fetch(FakeVenue({"A": [*wanted, TODAY]}, cap=cap), ["A"], venue=venue, first=wanted[0])

    assert frame.sort("market_date")["market_date"].to_list() == wanted
    assert failures == {}


@pytest.mark.parametrize("venue", ["binance", "kucoin", "gate"])
def test_a_market_listed_late_with_gaps_and_an_early_end_is_read_whole(venue):
    wanted = [day for day in days(date(2021, 3, 7), date(2024, 9, 1)) if day.day != 13]

    frame, _, _ = fetch(FakeVenue({"A": wanted}), ["A"], venue=venue, first=date(2019, 1, 1))

    assert frame.sort("market_date")["market_date"].to_list() == wanted


def test_a_venue_that_reaches_back_some_days_only_is_asked_once():
    fake = FakeVenue({"A": days(date(2020, 1, 1), TODAY)}, cap=720)

    frame, _, _ = fetch(fake, ["A"], venue="kraken", first=date(2020, 1, 1))

    assert frame.height == 719
    assert len(fake.asked) == 1


def test_a_venue_that_always_gives_the_same_page_ends():
    class Stuck(FakeVenue):
        async def publicGetKlines(self, query):  # noqa: N802 - ccxt's name
            self._days("A", query["startTime"] // 1000, None)
            return [[seconds(date(2025, 1, 1)) * 1000, "10", "12", "9", "11", "5", 0, "52.5"]]

    fake = Stuck({"A": []})

    frame, _, _ = fetch(fake, ["A"], first=date(2025, 1, 1))

    assert frame.height == 1
    assert len(fake.asked) == 2


def test_a_market_that_is_up_to_date_costs_no_request():
    fake = FakeVenue({"A": []})

    frame, _, _ = fetch(fake, ["A"], starts={"A/USDT": TODAY})

    assert frame is None
    assert fake.asked == []


def test_a_daily_load_asks_each_market_once_from_its_own_start():
    names = [f"T{number}" for number in range(120)]
    fake = FakeVenue({name: days(date(2024, 12, 1), TODAY) for name in names})
    starts = {f"{name}/USDT": date(2025, 1, 3) for name in names}

    frame, _, rounds = fetch(fake, names, starts=starts)

    assert len(fake.asked) == 120
    assert {first for _, first, _ in fake.asked} == {date(2025, 1, 3)}
    assert frame.height == 120 * 3
    assert len(rounds) == 1


def test_a_history_comes_in_batches_a_page_of_each_market_at_a_time():
    names = [f"T{number}" for number in range(BATCH_MARKETS + 20)]
    first = date(2021, 1, 1)
    fake = FakeVenue({name: days(first, TODAY) for name in names})

    _, _, rounds = fetch(fake, names, first=first)

    for each in rounds:
        oldest = each.fetched.frame.group_by("market_id").agg(pl.col("market_date").min(), pl.len())
        assert oldest.height <= BATCH_MARKETS
        assert oldest["len"].max() <= 1000
    assert rounds[-1].finished == len(names)
    seen: dict[str, date] = {}
    for each in rounds:  # oldest first: what has landed is a whole beginning, from which a killed load goes on
        for name, low, high in (
            each.fetched.frame.group_by("market_id")
            .agg(pl.col("market_date").min().alias("low"), pl.col("market_date").max().alias("high"))
            .iter_rows()
        ):
            assert low == seen.get(name, first - timedelta(days=1)) + timedelta(days=1)
            seen[name] = high
    assert set(seen.values()) == {LAST}


def test_a_failing_market_spares_the_others():
    fake = FakeVenue({"A": [LAST], "B": [LAST]}, errors=[ccxt.BadSymbol('binance {"code":-1121}')])

    frame, failures, _ = fetch(fake, ["A", "B"], first=LAST)

    assert frame["market_id"].to_list() == ["B/USDT"]
    assert isinstance(failures["A/USDT"], RequestRejectedError)


def test_a_venue_that_goes_down_is_not_asked_for_every_market():
    names = [f"T{number}" for number in range(60)]
    fake = FakeVenue(
        {name: [LAST] for name in names},
        errors=[],
    )
    fake.errors = []
    answered = iter(range(3))

    class Falling(FakeVenue):
        async def publicGetKlines(self, query):  # noqa: N802 - ccxt's name
            if next(answered, None) is None:
                self.errors = [ccxt.ExchangeNotAvailable("down")]
            return await super().publicGetKlines(query)

    fake = Falling({name: [LAST] for name in names})

    frame, failures, _ = fetch(fake, names, first=LAST, attempts=2, failures_to_open=3)

    assert frame.height == 3
    assert OTHERS in failures
    assert len(failures) == 4
    assert len(fake.asked) == 3 + 3 * 2


def test_a_venue_that_gives_nothing_is_an_error_not_an_empty_load():
    fake = FakeVenue({"A": []}, errors=[ccxt.ExchangeNotAvailable("down")] * 50)

    with pytest.raises(SourceUnavailableError, match=r"down.*after 2 attempts"):
        fetch(fake, ["A"], attempts=2)


def test_a_refused_country_ends_the_load():
    fake = FakeVenue({"A": [LAST], "B": [LAST]}, errors=[ccxt.ExchangeNotAvailable("451 restricted location")])

    with pytest.raises(AccessRestrictedError):
        fetch(fake, ["A", "B"], first=LAST, venue="gate")


def test_a_damaged_page_is_repeated():
    class Html(FakeVenue):
        async def publicGetKlines(self, query):  # noqa: N802 - ccxt's name
            page = await super().publicGetKlines(query)
            return "<html>" if len(self.asked) == 1 else page

    frame, failures, _ = fetch(Html({"A": [LAST]}), ["A"], first=LAST)

    assert (frame.height, failures) == (1, {})
