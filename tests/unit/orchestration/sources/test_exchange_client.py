"""Asking a venue: attempts and pauses, pace, mirror, circuit breaker, errors, addresses, closing."""

import asyncio
import itertools

import ccxt.async_support as ccxt
import pytest

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.exchanges.client import VenueClient, Venues, VenueSettings, open_client, rewrite_urls
from orchestration.sources.exchanges.errors import BannedError, NotAskedError, translate
from orchestration.sources.exchanges.venues import VENUES
from orchestration.sources.exchanges.wire import TextPage, as_text_page
from orchestration.sources.http import HttpLimits


class FakeClock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class StallingClock(FakeClock):
    """The second wait takes ten times as long as asked for."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(10.0 * seconds if len(self.waits) == 1 else seconds)


class FakeCcxt:
    """Raises the errors it is given, then answers; notes the addresses in force and when it was asked."""

    def __init__(self, clock: FakeClock, errors: list[Exception] | None = None) -> None:
        self.clock = clock
        self.errors = errors or []
        self.urls = {"api": {"public": "https://api.binance.com/api/v3", "fapi": "https://fapi.binance.com/fapi/v1"}}
        self.asked: list[tuple[float, str]] = []

    def implode_hostname(self, url: str) -> str:
        return url

    async def ask(self) -> str:
        self.asked.append((self.clock.now, self.urls["api"]["public"]))
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def opened(
    errors=None, *, venue="binance", interval=0.0, clock=None, **limits
) -> tuple[VenueClient, FakeCcxt, FakeClock]:
    clock = clock or FakeClock()
    fake = FakeCcxt(clock, errors)
    settings = VenueSettings(min_interval_seconds=interval, limits=HttpLimits(**limits))
    client = VenueClient(VENUES[venue], fake, settings, sleep=clock.sleep, clock=lambda: clock.now, jitter=lambda: 0.0)
    return client, fake, clock


def ask(client: VenueClient, **how):
    return client.ask(lambda fake: fake.ask(), lambda answer: answer, what="something", **how)


def test_passing_errors_are_repeated_with_growing_pauses():
    client, fake, clock = opened([ccxt.RequestTimeout("slow"), ccxt.ExchangeNotAvailable("502")])

    assert asyncio.run(ask(client)) == "answer"

    assert clock.waits == [1.0, 2.0]
    assert len(fake.asked) == 3


def test_an_answer_of_another_shape_is_repeated_and_then_named():
    client, fake, _ = opened(attempts=3)

    with pytest.raises(UnexpectedBodyError, match=r"binance: list: .*KeyError.*after 3 attempts"):
        asyncio.run(client.ask(lambda fake: fake.ask(), lambda answer: {}["symbols"], what="list"))

    assert len(fake.asked) == 3


def test_a_rejected_request_is_made_once():
    client, fake, _ = opened([ccxt.BadSymbol("unknown")])

    with pytest.raises(RequestRejectedError):
        asyncio.run(ask(client))

    assert len(fake.asked) == 1


def test_requests_keep_their_distance_and_dear_ones_a_greater_one():
    client, fake, _ = opened(interval=1.0)

    async def three() -> None:
        await ask(client, cost=5.0)
        await ask(client)
        await ask(client)

    asyncio.run(three())

    times = [at for at, _ in fake.asked]
    assert times == pytest.approx([0.0, 5.15, 6.18])  # with the margin of the pace


def test_requests_that_waited_while_the_process_stood_still_leave_one_by_one_all_the_same():
    client, fake, _ = opened(interval=1.0, clock=StallingClock())

    async def many() -> None:
        await asyncio.gather(*(ask(client) for _ in range(6)))

    asyncio.run(many())

    gaps = [later - at for (at, _), (later, _) in itertools.pairwise(fake.asked)]
    assert len(gaps) == 5
    assert max(gaps) >= 10.0, "the process stood still"
    assert min(gaps) >= 1.0, gaps


def test_retry_after_holds_back_every_request_of_the_venue():
    client, fake, _ = opened([ccxt.RateLimitExceeded("429")])
    told = {"Retry-After": "17"}

    async def limited(fake: FakeCcxt) -> str:
        from orchestration.sources.exchanges.wire import _SEEN

        seen = _SEEN.get()
        seen.status, seen.headers = (429, told) if fake.errors else (200, {})
        return await fake.ask()

    async def both() -> None:
        await client.ask(limited, lambda answer: answer, what="first")
        await ask(client)

    asyncio.run(both())

    assert [at for at, _ in fake.asked] == [0.0, 17.0, 17.0]


def test_a_pause_beyond_our_patience_is_not_waited_for():
    error = translate(ccxt.RateLimitExceeded("429"), place="okx: x", status=429, headers={"retry-after": "3600"})

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 3600
    client, _, _ = opened()
    assert not client._is_worth_repeating(error)


def test_a_country_that_is_refused_goes_to_the_mirror_and_stays_there():
    refusal = ccxt.ExchangeNotAvailable("451 {'msg': 'Service unavailable from a restricted location'}")
    client, fake, _ = opened([refusal])

    async def twice() -> None:
        await ask(client)
        await ask(client)

    asyncio.run(twice())

    hosts = [url.split("/")[2] for _, url in fake.asked]
    assert hosts == ["api.binance.com", "data-api.binance.vision", "data-api.binance.vision"]


def test_derivatives_have_no_mirror_and_fail_apart_from_spot():
    refusal = ccxt.ExchangeNotAvailable("451 restricted location")
    client, fake, _ = opened([refusal])

    async def both() -> str:
        with pytest.raises(AccessRestrictedError):
            await ask(client, side="derivatives")
        with pytest.raises(NotAskedError, match="restricted location"):
            await ask(client, side="derivatives")
        return await ask(client)

    assert asyncio.run(both()) == "answer"
    assert len(fake.asked) == 2


def test_a_ban_ends_all_asking_at_once():
    client, fake, _ = opened([ccxt.DDoSProtection("binance 418 I'm a teapot")])

    async def twice() -> None:
        with pytest.raises(BannedError, match="shut us out"):
            await ask(client)
        with pytest.raises(NotAskedError):
            await ask(client)

    asyncio.run(twice())

    assert len(fake.asked) == 1


def test_a_venue_that_is_down_is_left_alone_after_some_failures():
    client, fake, _ = opened([ccxt.ExchangeNotAvailable("down")] * 100, attempts=2, failures_to_open=3)

    async def many() -> list[str]:
        said = []
        for _ in range(10):
            try:
                await ask(client)
            except SourceError as error:
                said.append(type(error).__name__)
        return said

    said = asyncio.run(many())

    assert said == ["SourceUnavailableError"] * 3 + ["NotAskedError"] * 7
    assert len(fake.asked) == 6


def test_no_more_requests_are_under_way_than_allowed():
    clock = FakeClock()
    under_way = most = 0

    async def slow(_client) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1

    client = VenueClient(VENUES["gate"], object(), VenueSettings(concurrency=3), sleep=clock.sleep)

    async def many() -> None:
        await asyncio.gather(*(client.ask(slow, lambda answer: answer, what="it") for _ in range(12)))

    asyncio.run(many())

    assert most == 3


def test_addresses_are_put_behind_a_sandbox_or_replaced_by_settings():
    urls = {"api": {"public": "https://api.binance.com/api/v3", "web": "https://www.binance.com"}, "doc": ["x"]}

    behind = rewrite_urls(urls, addresses={}, prefix="http://127.0.0.1:9/")
    own = rewrite_urls(urls, addresses={"api.binance.com": "http://proxy.local:80/binance/"}, prefix=None)
    both = rewrite_urls(urls, addresses={"api.binance.com": "https://mirror.org"}, prefix="http://127.0.0.1:9")

    assert behind["api"]["public"] == "http://127.0.0.1:9/api.binance.com/api/v3"
    assert own["api"]["public"] == "http://proxy.local:80/binance/api/v3"
    assert both["api"]["public"] == "http://127.0.0.1:9/mirror.org/api/v3"
    assert own["doc"] == ["x"]


@pytest.mark.parametrize("name", VENUES)
def test_every_address_of_every_venue_can_be_replaced(name):
    settings = VenueSettings(prefix="http://127.0.0.1:9")

    async def run() -> object:
        client = open_client(VENUES[name], settings)
        await client.close()
        return client.client

    client = asyncio.run(run())

    def leaves(urls):
        return [leaf for value in urls.values() for leaf in leaves(value)] if isinstance(urls, dict) else [urls]

    assert {leaf[:19] for leaf in leaves(client.urls["api"]) if leaf} == {"http://127.0.0.1:9/"}
    assert any(VENUES[name].host in leaf for leaf in leaves(client.urls["api"]))


def test_connections_are_closed_whatever_happens():
    venues = Venues(lambda name: VenueSettings(prefix="http://127.0.0.1:9", limits=HttpLimits(attempts=1)))

    async def fail() -> None:
        client = await venues.open("okx")
        client.client.open()
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        venues.run(fail())
    client = venues._clients["okx"].client
    venues.close()

    assert client.session is None
    assert not client.enableRateLimit


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (
            ccxt.ExchangeNotAvailable("451 {'msg': 'Service unavailable from a restricted location'}"),
            0,
            AccessRestrictedError,
        ),
        (ccxt.RateLimitExceeded("403 CloudFront: block access from your country"), 403, AccessRestrictedError),
        (ccxt.ExchangeError("Access denied from your location."), 403, AccessRestrictedError),
        (ccxt.PermissionDenied('kraken {"error":["EGeneral:Permission denied"]}'), 200, AccessRestrictedError),
        (ccxt.RateLimitExceeded("429"), 429, RateLimitedError),
        (ccxt.ExchangeError("Request rate limit exceeded."), 429, RateLimitedError),
        (ccxt.DDoSProtection("429"), 429, RateLimitedError),
        (ccxt.DDoSProtection("418"), 418, BannedError),
        (ccxt.RequestTimeout("slow"), 0, SourceUnavailableError),
        (ccxt.ExchangeError("Internal server error"), 500, SourceUnavailableError),
        (ccxt.BadSymbol("unknown"), 400, RequestRejectedError),
        (ccxt.ExchangeError("coinbase NotFound"), 404, RequestRejectedError),
        (ccxt.ExchangeNotAvailable("bitstamp 404 Not Found"), 404, RequestRejectedError),
        (ccxt.AuthenticationError("401"), 401, RequestRejectedError),
        (ccxt.RequestTimeout("408"), 408, SourceUnavailableError),
        (ccxt.ExchangeError("odd"), 200, UnexpectedBodyError),
    ],
)
def test_errors_of_ccxt_become_ours(error, status, expected):
    assert type(translate(error, place="venue: it", status=status)) is expected


@pytest.mark.parametrize(
    "body",
    [
        '[[1704067200000,"1"]]',
        '{"code":"0","msg":"","data":[["1704067200000","1"]]}',
        '{"code": "0", "msg": "", "data": [["1704067200000", "1"]]}',
        '{"code":"200000","data":[["1704067200","1"]]}',
    ],
)
def test_a_page_of_rows_stays_text(body):
    page = as_text_page(body)
    rows = page if isinstance(page, TextPage) else page["data"]

    assert rows == []
    assert rows.text.startswith("[[")
    assert rows.text.endswith("]]")


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        '[["cut", "off"',
        '{"code":"50011","msg":"Too Many Requests","data":[]}',
        '{"code":"0","msg":"","data":[]}',
        '{"error":[],"result":{}}',
        '[{"timestamp": 1}]',
    ],
)
def test_anything_else_is_read_as_ever(body):
    assert as_text_page(body) is None
