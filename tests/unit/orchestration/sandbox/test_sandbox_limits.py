"""Limits of the providers, the busiest window of the log, and latency."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from orchestration.sandbox.limits import HostLimiter, RequestLimit
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.providers import PROVIDERS
from orchestration.sandbox.runner import RunningSandbox, running_sandbox
from orchestration.sandbox.server import LoggedRequest, busiest_window, jittered

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)


@pytest.fixture
def strict(market: SimulatedMarket) -> Iterator[RunningSandbox]:
    with running_sandbox(market, NOW, enforce_limits=True) as started:
        yield started


def logged(at_seconds: float, host: str = "api.kraken.com", path: str = "/0/public/OHLC") -> LoggedRequest:
    return LoggedRequest(at_seconds, host, path, {}, 200)


def test_a_window_slides_and_frees_what_has_left_it():
    limiter = HostLimiter((2, 10.0))

    refusals = [limiter.ask(at, "/", {}) for at in (0.0, 4.0, 5.0, 10.0, 13.9, 14.0)]

    assert [refusal is None for refusal in refusals] == [True, True, False, True, False, True]
    assert refusals[2].retry_after_seconds == 5
    assert refusals[4].retry_after_seconds == 1


def test_paths_have_budgets_of_their_own_and_requests_their_weight():
    limiter = HostLimiter(
        (
            RequestLimit(1, 10.0, path="/books"),
            RequestLimit(10, 10.0, weigh=lambda _, params: int(params.get("limit", 1))),
        )
    )

    assert limiter.ask(0.0, "/a/books", {"limit": "4"}) is None
    assert limiter.ask(0.0, "/a/books", {}) is not None
    assert limiter.ask(0.0, "/a/candles", {"limit": "6"}) is None
    assert limiter.ask(0.0, "/a/candles", {}) is not None


def test_who_waits_as_told_is_never_refused_twice():
    limiter = HostLimiter((5, 3.0), bans_after=1)
    now, refused = 0.0, 0

    for _ in range(50):
        if refusal := limiter.ask(now, "/", {}):
            refused += 1
            now += refusal.retry_after_seconds
            assert limiter.ask(now, "/", {}) is None
        now += 0.1

    assert refused > 3


def test_who_goes_on_after_a_refusal_is_banned_until_the_ban_ends():
    limiter = HostLimiter((1, 60.0), bans_after=3)
    limiter.ask(0.0, "/", {})

    refusals = [limiter.ask(1.0 + step, "/", {}) for step in range(5)]

    assert [refusal.is_ban for refusal in refusals] == [False, False, False, True, True]
    assert refusals[3].retry_after_seconds == 120
    assert limiter.ask(130.0, "/", {}) is None


def test_limits_of_an_unknown_form_are_refused():
    with pytest.raises(TypeError, match="requests, seconds"):
        HostLimiter(("many",))


def test_a_host_refuses_in_its_own_words_with_a_time_to_wait(strict: RunningSandbox, http: httpx.Client):
    url = f"{strict.url_for('api.exchange.coinbase.com')}/time"

    answers = [http.get(url) for _ in range(20)]

    assert [answer.status_code for answer in answers] == [200] * 15 + [429] * 5
    assert answers[-1].json() == {"message": "Public rate limit exceeded"}
    assert answers[-1].headers["Retry-After"] == "1"
    assert [(entry.status, entry.fault) for entry in strict.requests[-1:]] == [(429, None)]


def test_kraken_refuses_under_status_200(strict: RunningSandbox, http: httpx.Client):
    answers = [http.get(f"{strict.url_for('api.kraken.com')}/0/public/Time") for _ in range(19)]

    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["error"] for answer in answers[-2:]] == [[], ["EAPI:Rate limit exceeded"]]


def test_binance_counts_weight_and_turns_429_into_418(strict: RunningSandbox, http: httpx.Client):
    url = f"{strict.url_for('api.binance.com')}/api/v3/depth"

    statuses = [http.get(url, params={"symbol": "BTCUSDT", "limit": 5000}).status_code for _ in range(30)]

    assert statuses[:24] == [200] * 24  # of weight 250 each, so 6,000 in all
    assert statuses[24:] == [429] * 3 + [418] * 3
    mirror = http.get(f"{strict.url_for('data-api.binance.vision')}/api/v3/ping")
    assert mirror.status_code == 200


def test_hosts_do_not_share_a_budget_and_without_enforcement_there_is_none(
    strict: RunningSandbox, sandbox: RunningSandbox, http: httpx.Client
):
    for _ in range(20):
        http.get(f"{strict.url_for('api.exchange.coinbase.com')}/time")

    assert http.get(f"{strict.url_for('www.okx.com')}/api/v5/public/time").status_code == 200
    url = f"{sandbox.url_for('api.exchange.coinbase.com')}/time"
    assert {http.get(url).status_code for _ in range(40)} == {200}


def test_every_declared_limit_can_be_read():
    declared = {host: provider.LIMITS for host, provider in PROVIDERS.items() if hasattr(provider, "LIMITS")}

    for limits in declared.values():
        HostLimiter(limits)
    assert {"api.binance.com", "www.okx.com", "api.kucoin.com", "api.gateio.ws", "api.kraken.com"} <= set(declared)


def test_the_busiest_window_counts_one_host_and_one_path():
    requests = [logged(at) for at in (0.0, 0.5, 0.9, 1.0, 1.4, 5.0)]
    requests += [logged(0.6, host="www.okx.com"), logged(0.7, path="/0/public/Depth")]

    assert busiest_window(requests, "api.kraken.com", 1.0) == 5
    assert busiest_window(requests, "api.kraken.com", 1.0, path="/OHLC") == 4
    assert busiest_window(requests, "api.kraken.com", 100.0) == 7
    assert busiest_window(requests, "api.example.org", 1.0) == 0


def test_waits_differ_a_little_and_are_the_same_each_time():
    waits = [jittered(0.2, number) for number in range(1000)]

    assert waits == [jittered(0.2, number) for number in range(1000)]
    assert 0.1 <= min(waits) < 0.11
    assert 0.29 < max(waits) < 0.3
    assert sum(waits) / 1000 == pytest.approx(0.2, abs=0.01)


def test_every_answer_is_held_up(market: SimulatedMarket, http: httpx.Client):
    with running_sandbox(market, NOW, latency_seconds=0.1) as slow:
        for number in range(3):
            started = time.perf_counter()
            http.get(f"{slow.url_for('api.exchange.coinbase.com')}/time")
            assert time.perf_counter() - started >= jittered(0.1, number)


def test_latency_can_be_set_while_it_runs(sandbox: RunningSandbox, http: httpx.Client):
    sandbox.app.latency_seconds = 0.2
    started = time.perf_counter()
    http.get(f"{sandbox.url_for('api.exchange.coinbase.com')}/time")
    slow = time.perf_counter() - started
    sandbox.app.latency_seconds = 0.0

    assert slow > 0.1
