import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sources.errors import SourceUnavailableError
from orchestration.sources.http import HttpClient, HttpLimits
from orchestration.sources.pace import CircuitBreaker, Pace


class Clock:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def starts(pace: Pace, clock: Clock, count: int, key: str = "host") -> list[float]:
    moments = []
    for _ in range(count):
        pace.wait(key)
        moments.append(clock.now - 1000.0)
    return moments


def test_without_a_burst_requests_are_an_interval_apart():
    clock = Clock()

    moments = starts(Pace(0.5, {}, clock=clock, sleep=clock.sleep), clock, 4)

    assert moments == [0.0, 0.5, 1.0, 1.5]


def test_a_burst_goes_at_once_and_the_rest_at_the_interval():
    clock = Clock()

    moments = starts(Pace(2.0, {}, burst=3, clock=clock, sleep=clock.sleep), clock, 6)

    assert moments == [0.0, 0.0, 0.0, 2.0, 4.0, 6.0]


def test_a_host_that_asks_for_a_pause_is_not_asked_by_anybody_until_it_ends():
    clock = Clock()
    pace = Pace(0.1, {}, burst=5, clock=clock, sleep=clock.sleep)

    pace.hold("host", 30.0)

    assert starts(pace, clock, 1) == [30.0]


def test_a_pause_a_host_asks_for_holds_for_those_who_wait_already():
    clock = Clock()
    pace = Pace(1.0, {}, clock=clock, sleep=clock.sleep)
    pace.wait("host")
    waits = pace.take("host")

    pace.hold("host", 30.0)
    clock.sleep(waits)

    assert pace.take("host") == 29.0


def test_hosts_do_not_wait_for_each_other():
    clock = Clock()
    pace = Pace(5.0, {"quick": 0.1}, clock=clock, sleep=clock.sleep)

    starts(pace, clock, 1, "slow")

    assert starts(pace, clock, 2, "quick") == pytest.approx([0.0, 0.1])


@given(
    burst=st.integers(1, 6),
    interval=st.floats(0.05, 5.0),
    rests=st.lists(st.floats(0.0, 20.0), min_size=5, max_size=40),
    window=st.floats(0.1, 30.0),
)
def test_no_window_holds_more_requests_than_the_bucket_and_its_refill(burst, interval, rests, window):
    clock = Clock()
    pace = Pace(interval, {}, burst=burst, clock=clock, sleep=clock.sleep)
    moments = []
    for rest in rests:
        clock.sleep(rest if rest > 10 else 0.0)
        pace.wait("host")
        moments.append(clock.now)

    busiest = max(sum(start <= other < start + window for other in moments) for start in moments)

    assert busiest <= burst + window / interval + 1e-6


def test_a_circuit_opens_after_failures_in_a_row_and_says_what_the_last_one_was():
    clock = Clock()
    circuit = CircuitBreaker(failures_to_open=3, cool_down_seconds=60, clock=clock)

    for number in range(3):
        assert circuit.refusal("host") is None
        circuit.failed("host", f"HTTP 503 number {number}")

    assert "3 requests in a row" in (circuit.refusal("host") or "")
    assert "HTTP 503 number 2" in (circuit.refusal("host") or "")
    assert circuit.refusal("other") is None


def test_a_success_in_between_begins_the_count_anew():
    circuit = CircuitBreaker(failures_to_open=2, cool_down_seconds=60, clock=Clock())

    circuit.failed("host", "HTTP 503")
    circuit.succeeded("host")
    circuit.failed("host", "HTTP 503")

    assert circuit.refusal("host") is None


def test_after_the_cool_down_one_request_tries_and_decides():
    clock = Clock()
    circuit = CircuitBreaker(failures_to_open=1, cool_down_seconds=60, clock=clock)
    circuit.failed("host", "HTTP 503")

    clock.sleep(61)

    assert circuit.refusal("host") is None, "one may try"
    assert circuit.refusal("host") is not None, "the others wait for it"
    circuit.succeeded("host")
    assert circuit.refusal("host") is None


def test_a_ban_opens_at_once():
    circuit = CircuitBreaker(failures_to_open=5, cool_down_seconds=60, clock=Clock())

    circuit.failed("host", "HTTP 451", is_ban=True)

    assert circuit.refusal("host") is not None


def test_a_client_stops_asking_a_dead_host_so_that_many_requests_end_soon():
    clock = Clock()
    limits = HttpLimits(attempts=2, first_pause_seconds=1.0, failures_to_open=2)
    asked = []

    class Refusing:
        def handle_request(self, request):
            import httpx

            asked.append(request)
            raise httpx.ConnectError("refused", request=request)

        def close(self):
            return None

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    with HttpClient(limits=limits, transport=Refusing(), sleep=clock.sleep, clock=clock) as client:
        for _ in range(50):
            with pytest.raises(SourceUnavailableError):
                client.get_json("https://api.example.test/coins")

    assert len(asked) == 4, "two requests of two attempts, then none"
