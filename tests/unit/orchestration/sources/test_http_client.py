"""The shared HTTP client: patience, politeness, caps, body checks and silence about secrets."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from orchestration.sources.errors import (
    AccessRestrictedError,
    RateLimitedError,
    RequestRejectedError,
    ResponseTooLargeError,
    SourceError,
    SourceUnavailableError,
    UnexpectedBodyError,
)
from orchestration.sources.http import HttpClient, HttpLimits, pace_key

URL = "https://provider.example/data"
KEY = "CG-s3cr3t-key"


class FakeTime:
    """A clock that only moves when somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


class Script:
    """Answers requests one after the other from a list; the last answer repeats."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Pieces(httpx.SyncByteStream):
    """A body that comes piece by piece, with something happening before each."""

    def __init__(self, pieces: list[bytes], before_each=lambda: None) -> None:
        self.pieces = pieces
        self.before_each = before_each

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.before_each()
            yield piece


def client(script, time: FakeTime, **options) -> HttpClient:
    return HttpClient(
        transport=httpx.MockTransport(script), sleep=time.sleep, clock=time.clock, jitter=lambda: 0.0, **options
    )


def ok(payload: object = (1,)) -> httpx.Response:
    return httpx.Response(200, json=payload)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_failures_are_repeated_with_growing_pauses(time, status):
    script = Script(httpx.Response(status, text="later"), httpx.Response(status, text="later"), ok())

    with client(script, time, limits=HttpLimits(first_pause_seconds=1.0, rate_limited_pause_seconds=1.0)) as http:
        payload = http.get_json(URL)

    assert payload == [1]
    assert time.sleeps == [1.0, 2.0]


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut off")]
)
def test_broken_connections_are_repeated(time, failure):
    with client(Script(failure, ok()), time) as http:
        payload = http.get_json(URL)

    assert payload == [1]


def test_giving_up_says_where_what_and_how_often(time):
    with (
        client(Script(httpx.Response(503, text="down for maintenance")), time, limits=HttpLimits(attempts=3)) as http,
        pytest.raises(SourceUnavailableError, match=r"provider\.example/data.*503.*maintenance.*after 3 attempts"),
    ):
        http.get_json(URL)

    assert len(time.sleeps) == 2


@pytest.mark.parametrize("status", [400, 401, 402, 404, 422])
def test_final_refusals_are_not_repeated_and_keep_the_payload(time, status):
    script = Script(httpx.Response(status, json={"error": "coin not found"}))

    with client(script, time) as http, pytest.raises(RequestRejectedError) as caught:
        http.get_json(URL)

    assert (caught.value.status, caught.value.payload) == (status, {"error": "coin not found"})
    assert len(script.requests) == 1


@pytest.mark.parametrize(("status", "body"), [(451, "{}"), (403, "<html>blocked in your country</html>")])
def test_a_refused_place_is_told_apart_and_not_repeated(time, status, body):
    script = Script(httpx.Response(status, text=body))

    with client(script, time) as http, pytest.raises(AccessRestrictedError, match="another host"):
        http.get_json(URL)

    assert len(script.requests) == 1


def test_retry_after_in_seconds_is_waited_for(time):
    script = Script(httpx.Response(429, headers={"Retry-After": "7"}), ok())

    with client(script, time) as http:
        http.get_json(URL)

    assert time.sleeps == [0.0, 7.0] or sum(time.sleeps) == 7.0


def test_retry_after_as_a_date_is_waited_for(time):
    script = Script(httpx.Response(503, headers={"Retry-After": "Mon, 06 Jan 2025 00:00:30 GMT"}), ok())

    with client(script, time, wall_clock=lambda: datetime(2025, 1, 6, tzinfo=UTC)) as http:
        http.get_json(URL)

    assert sum(time.sleeps) == 30.0


def test_retry_after_beyond_our_patience_fails_at_once_and_says_how_long(time):
    script = Script(httpx.Response(429, headers={"Retry-After": "3600"}))

    with client(script, time) as http, pytest.raises(RateLimitedError, match="wait 3600 s") as caught:
        http.get_json(URL)

    assert caught.value.retry_after_seconds == 3600.0
    assert time.sleeps == []


def test_retry_after_holds_back_other_requests_to_the_host_but_not_to_others(time):
    script = Script(httpx.Response(429, headers={"Retry-After": "60"}), ok())
    http = client(script, time, limits=HttpLimits(attempts=1))

    with pytest.raises(RateLimitedError):
        http.get_json(URL)
    http.get_json("https://other.example/")
    slept_for_other = sum(time.sleeps)
    http.get_json(URL)
    http.close()

    assert slept_for_other == 0.0
    assert sum(time.sleeps) == 60.0


def test_requests_to_one_host_keep_their_distance(time):
    with client(Script(ok()), time, min_interval_seconds=12.0, host_intervals={"fast.example": 1.0}) as http:
        for _ in range(3):
            http.get_json(URL)
        slow = time.now
        for _ in range(3):
            http.get_json("https://fast.example/")

    assert slow == 24.0
    assert time.now - slow == 2.0


def test_a_sandbox_is_paced_by_the_provider_it_stands_for():
    assert pace_key(httpx.URL("http://127.0.0.1:8000/api.coingecko.com/api/v3/ping")) == "api.coingecko.com"
    assert pace_key(httpx.URL("http://127.0.0.1:8000/ping")) == "127.0.0.1:8000"
    assert pace_key(httpx.URL("https://api.coingecko.com/api/v3/ping")) == "api.coingecko.com"


def test_threads_share_the_pace(time):
    with client(Script(*(ok() for _ in range(4))), time, min_interval_seconds=1.0) as http:
        threads = [threading.Thread(target=http.get_json, args=(URL,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert time.now >= 3.0  # the first one need not wait


def test_a_body_beyond_the_cap_stops_the_reading(time):
    pulled = []
    body = Pieces([b"x" * 1000] * 1000, lambda: pulled.append(1))

    with (
        client(Script(httpx.Response(200, stream=body)), time, limits=HttpLimits(max_bytes=5000)) as http,
        pytest.raises(ResponseTooLargeError, match="5000 bytes"),
    ):
        http.get_json(URL)

    assert len(pulled) == 6


def test_a_dripping_body_ends_by_the_total_time_although_no_pause_is_long(time):
    def drip() -> None:
        time.now += 10.0

    limits = HttpLimits(total_seconds=60.0, read_seconds=30.0, attempts=1)
    body = Pieces([b" "] * 1000, drip)

    with (
        client(Script(httpx.Response(200, stream=body)), time, limits=limits) as http,
        pytest.raises(SourceUnavailableError, match="incomplete after 60 s"),
    ):
        http.get_json(URL)

    assert time.now == 70.0


@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE html><html><body>Checking your browser</body></html>", b'{"prices": [[1, 2', b"", b'{"price": NaN}'],
    ids=["html", "cut-off", "empty", "nan"],
)
def test_nonsense_under_200_is_repeated_then_refused(time, body):
    script = Script(httpx.Response(200, content=body))

    with client(script, time, limits=HttpLimits(attempts=2)) as http, pytest.raises(UnexpectedBodyError):
        http.get_json(URL)

    assert len(script.requests) == 2


def test_an_html_page_instead_of_text_is_refused(time):
    script = Script(httpx.Response(200, text="<html>unknown series</html>"))

    with (
        client(script, time, limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="HTML page"),
    ):
        http.get_text(URL)


def test_an_error_that_the_check_finds_under_200_is_repeated(time):
    script = Script(ok({"status": "limit"}), ok({"data": []}))

    def refuse(payload):
        if "status" in payload:
            raise RateLimitedError("limited under 200")

    with client(script, time) as http:
        payload = http.get_json(URL, check=refuse)

    assert payload == {"data": []}


def test_secrets_stay_out_of_messages_logs_and_representation(time, caplog):
    caplog.set_level(logging.DEBUG)
    answer = httpx.Response(500, text=f"key {KEY} is broken")
    http = client(Script(answer), time, secrets=[KEY], limits=HttpLimits(attempts=2))

    with pytest.raises(SourceUnavailableError) as caught:
        http.get_json(f"https://user:pass@provider.example/{KEY}", params={"x_cg_demo_api_key": "other", "page": 1})
    shown = repr(http)
    http.close()

    told = f"{caught.value!r} {caught.value} {caplog.text} {shown}"
    assert KEY not in told
    assert "other" not in told
    assert "pass" not in str(caught.value)
    assert "page=1" in str(caught.value)


def test_a_key_that_cannot_travel_does_not_show_in_the_error_or_its_chain(time):
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value b'{KEY}'")

    with (
        client(refuse, time, secrets=[KEY]) as http,
        pytest.raises(SourceError, match="check base URL and key") as caught,
    ):
        http.get_json(URL, headers={"x-key": "anything"})

    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_keys_are_not_carried_to_a_foreign_host(time):
    script = Script(httpx.Response(302, headers={"Location": "https://elsewhere.example/data"}), ok())

    with client(script, time) as http:
        http.get_json(URL, headers={"x-cg-demo-api-key": KEY})

    assert script.requests[0].headers["x-cg-demo-api-key"] == KEY
    assert "x-cg-demo-api-key" not in script.requests[1].headers


def test_redirects_in_circles_end(time):
    script = Script(httpx.Response(301, headers={"Location": URL}))

    with (
        client(script, time, limits=HttpLimits(attempts=1)) as http,
        pytest.raises(UnexpectedBodyError, match="redirects"),
    ):
        http.get_json(URL)


def test_an_address_that_is_none_is_an_error_of_ours(time):
    with client(Script(ok()), time) as http, pytest.raises(SourceError, match="base URL"):
        http.get_json("ftp://provider.example/")


NOW = datetime(2025, 1, 6, tzinfo=UTC)


def spent(status: int, reset: object, left: str = "0") -> httpx.Response:
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-reset": str(reset)}
    return httpx.Response(status, json={"message": "limit"}, headers=headers)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("reset", [40, int(NOW.timestamp()) + 40], ids=["seconds", "unix time"])
def test_a_limit_that_is_used_up_is_waited_for_when_its_reset_is_near(time, status, reset):
    with client(Script(spent(status, reset), ok()), time, wall_clock=lambda: NOW) as http:
        payload = http.get_json(URL)

    assert payload == [1]
    assert sum(time.sleeps) == 40


def test_a_limit_that_is_used_up_for_long_ends_the_request_at_once(time):
    script = Script(spent(403, int(NOW.timestamp()) + 3000))

    with (
        client(script, time, wall_clock=lambda: NOW) as http,
        pytest.raises(RateLimitedError, match=r"HTTP 403, asks to wait 3000 s") as caught,
    ):
        http.get_json(URL)

    assert caught.value.retry_after_seconds == 3000
    assert len(script.requests) == 1


def test_a_403_with_budget_left_is_a_refusal(time):
    with client(Script(spent(403, 40, left="59")), time) as http, pytest.raises(RequestRejectedError):
        http.get_json(URL)


def test_an_answer_keeps_status_and_headers_and_statuses_that_were_asked_for(time):
    script = Script(httpx.Response(202, json={}), httpx.Response(204), httpx.Response(404, json={"message": "gone"}))

    with client(script, time) as http:
        answers = [http.get_answer(URL, accept=(404,)) for _ in range(3)]

    assert [(answer.status, answer.payload) for answer in answers] == [
        (202, {}),
        (204, None),
        (404, {"message": "gone"}),
    ]
    assert answers[0].headers["Content-Type"] == "application/json"


def test_text_is_read_within_the_attempt(time):
    def parse(text: str) -> int:
        if "slow down" in text:
            raise RateLimitedError(text)
        return int(text)

    with client(Script(httpx.Response(200, text="slow down"), httpx.Response(200, text="7")), time) as http:
        number = http.get_parsed(URL, parse=parse)

    assert number == 7


def test_a_form_is_sent_as_one(time):
    script = Script(ok({"access_token": "t0k3n"}))

    with client(script, time) as http:
        payload = http.post_form(URL, {"grant_type": "client_credentials"})

    assert payload == {"access_token": "t0k3n"}
    assert (script.requests[0].method, script.requests[0].content) == ("POST", b"grant_type=client_credentials")


def test_an_unreadable_answer_to_a_form_is_not_quoted_because_it_may_hold_a_token(time):
    script = Script(httpx.Response(200, text='{"access_token": "t0k3n'))

    with client(script, time, limits=HttpLimits(attempts=1)) as http, pytest.raises(UnexpectedBodyError) as caught:
        http.post_form(URL, {"grant_type": "client_credentials"})

    assert "t0k3n" not in str(caught.value)


def test_a_secret_learnt_later_is_hidden_too(time):
    script = Script(httpx.Response(400, text="token t0k3n is stale"))

    with client(script, time) as http:
        http.hide(["t0k3n"])
        with pytest.raises(RequestRejectedError) as caught:
            http.get_json(URL)

    assert "t0k3n" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 400, 401])
def test_a_key_that_a_server_echoes_stays_out_of_what_an_adapter_says_of_it(time, status):
    script = Script(httpx.Response(status, json={"status": {"error_message": f"API key {KEY} is invalid"}}))

    def check(payload):
        raise UnexpectedBodyError(f"provider: {payload['status']['error_message']}")

    with (
        client(script, time, secrets=[KEY], limits=HttpLimits(attempts=2)) as http,
        pytest.raises(SourceError) as caught,
    ):
        http.get_json(URL, check=check)

    assert KEY not in str(caught.value)
    assert KEY not in repr(getattr(caught.value, "payload", None))
