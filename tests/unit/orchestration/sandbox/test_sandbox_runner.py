import socket
import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest

from orchestration.sandbox.faults import FaultKind, FaultPlan, FaultRule
from orchestration.sandbox.market import SimulatedMarket
from orchestration.sandbox.runner import RunningSandbox, running_sandbox

NOW = datetime(2025, 1, 6, tzinfo=UTC)


def test_the_port_is_free_and_no_thread_is_left_after_the_block(market: SimulatedMarket):
    threads = threading.active_count()

    with running_sandbox(market, NOW) as sandbox:
        port = urlsplit(sandbox.base_url).port
        httpx.get(f"{sandbox.base_url}/api.alternative.me/fng/", trust_env=False)

    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", port))


def test_it_stops_quietly_while_an_answer_is_still_waiting(market: SimulatedMarket, capfd: pytest.CaptureFixture):
    plan = FaultPlan([FaultRule(kind=FaultKind.TIMEOUT, delay_seconds=3600.0)])
    threads = threading.active_count()

    with running_sandbox(market, NOW, faults=plan) as sandbox, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{sandbox.base_url}/api.alternative.me/fng/", timeout=0.1, trust_env=False)

    assert threading.active_count() == threads, "nobody waits for the answer any more"
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_block_stops_it_too(market: SimulatedMarket):
    ports: list[int | None] = []

    def fail_inside() -> None:
        with running_sandbox(market, NOW) as sandbox:
            ports.append(urlsplit(sandbox.base_url).port)
            raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError, match="of the caller"):
        fail_inside()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]), timeout=1)


def test_two_run_side_by_side(market: SimulatedMarket):
    with running_sandbox(market, NOW) as first, running_sandbox(market, NOW) as second:
        assert first.base_url != second.base_url


def test_requests_are_logged_with_host_path_query_and_status(sandbox: RunningSandbox, http: httpx.Client):
    before = time.monotonic()

    http.get(f"{sandbox.url_for('api.coingecko.com')}/api/v3/coins/nothing", params={"market_data": "false"})
    http.get(f"{sandbox.base_url}/api.example.org/x")

    first, second = sandbox.requests
    assert (first.host, first.path, first.query) == (
        "api.coingecko.com",
        "/api/v3/coins/nothing",
        {"market_data": "false"},
    )
    assert [first.status, second.status] == [404, 404]
    assert before <= first.at_seconds <= second.at_seconds


def test_an_unknown_host_is_told_which_ones_there_are(sandbox: RunningSandbox, http: httpx.Client):
    answer = http.get(f"{sandbox.base_url}/api.example.org/x")

    assert "api.coingecko.com" in answer.json()["error"]


def test_it_writes_nothing_to_the_terminal(market: SimulatedMarket, capfd: pytest.CaptureFixture):
    with running_sandbox(market, NOW) as sandbox:
        httpx.get(f"{sandbox.base_url}/api.alternative.me/fng/", trust_env=False)

    assert capfd.readouterr() == ("", "")


def test_moving_the_clock_shows_the_next_week(sandbox: RunningSandbox, http: httpx.Client):
    def newest_close() -> int:
        url = f"{sandbox.url_for('api.coingecko.com')}/api/v3/coins/bitcoin/market_chart"
        return http.get(url, params={"vs_currency": "usd", "days": 100}).json()["prices"][-2][0]

    before = newest_close()
    sandbox.clock.now = datetime(2025, 1, 13, 0, 30, tzinfo=UTC)

    assert newest_close() - before == 7 * 86_400_000
