import json
import time

import httpx
import pytest

from orchestration.sandbox.damage import damage_types
from orchestration.sandbox.faults import FaultKind, FaultPlan, FaultRule, FaultSettingError
from orchestration.sandbox.runner import RunningSandbox

GECKO = "api.coingecko.com"


def markets(http: httpx.Client, sandbox: RunningSandbox) -> httpx.Response:
    return http.get(f"{sandbox.url_for(GECKO)}/api/v3/coins/markets", params={"vs_currency": "usd", "per_page": 30})


def strike(sandbox: RunningSandbox, kind: FaultKind, **options) -> None:
    sandbox.faults.add(FaultRule(kind=kind, host=GECKO, **options))


def test_rate_limits_come_with_and_without_a_time_to_wait(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.RATE_LIMITED_RETRY_AFTER, retry_after_seconds=60, times=1)
    strike(sandbox, FaultKind.RATE_LIMITED, times=1)

    first, second, third = (markets(http, sandbox) for _ in range(3))

    assert (first.status_code, first.headers["Retry-After"]) == (429, "60")
    assert first.json()["status"]["error_code"] == 429
    assert second.status_code == 429
    assert "Retry-After" not in second.headers
    assert third.status_code == 200


@pytest.mark.parametrize(("kind", "status"), [(FaultKind.INTERNAL_ERROR, 500), (FaultKind.UNAVAILABLE, 503)])
def test_server_errors_are_plain_text(sandbox: RunningSandbox, http: httpx.Client, kind: FaultKind, status: int):
    strike(sandbox, kind)

    answer = markets(http, sandbox)

    assert answer.status_code == status
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_blocked_country_gets_the_providers_status(sandbox: RunningSandbox, http: httpx.Client):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="api.binance.com"))

    answer = http.get(f"{sandbox.url_for('api.binance.com')}/api/v3/exchangeInfo")
    mirror = http.get(f"{sandbox.url_for('data-api.binance.vision')}/api/v3/exchangeInfo")

    assert (answer.status_code, answer.json()["code"]) == (451, 0)
    assert mirror.status_code == 200


def test_a_timeout_outlasts_an_impatient_client(sandbox: RunningSandbox):
    strike(sandbox, FaultKind.TIMEOUT, delay_seconds=5.0)

    with httpx.Client(timeout=0.1, trust_env=False) as impatient, pytest.raises(httpx.ReadTimeout):
        markets(impatient, sandbox)


def test_a_truncated_body_is_no_json(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.TRUNCATED)

    answer = markets(http, sandbox)

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_cut_connection_is_a_protocol_error_without_noise(
    sandbox: RunningSandbox, http: httpx.Client, capfd: pytest.CaptureFixture
):
    strike(sandbox, FaultKind.DISCONNECTED)

    with pytest.raises(httpx.RemoteProtocolError):
        markets(http, sandbox)

    assert capfd.readouterr() == ("", "")


def test_a_page_of_html_comes_under_status_200(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.HTML_PAGE)

    answer = markets(http, sandbox)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("host", "path", "sign"),
    [
        (GECKO, "/api/v3/coins/markets", {"status": {"error_code": 429}}),
        ("api.binance.com", "/api/v3/exchangeInfo", {"code": -1003}),
        ("community-api.coinmetrics.io", "/v4/catalog-v2/asset-metrics", {"error": {"type": "too_many_requests"}}),
        ("api.alternative.me", "/fng/", {"data": []}),
    ],
)
def test_an_error_can_hide_under_status_200(
    sandbox: RunningSandbox, http: httpx.Client, host: str, path: str, sign: dict
):
    sandbox.faults.add(FaultRule(kind=FaultKind.ERROR_UNDER_200, host=host))

    answer = http.get(sandbox.url_for(host) + path)

    assert answer.status_code == 200
    for name, value in sign.items():
        served = answer.json()[name]
        assert served == value or value.items() <= served.items()


def test_wrong_types_strike_some_records_and_spare_the_others(sandbox: RunningSandbox, http: httpx.Client):
    good = markets(http, sandbox).json()
    strike(sandbox, FaultKind.WRONG_TYPES, damage_every=10)

    rows = markets(http, sandbox).json()

    assert [number for number, row in enumerate(rows) if row != good[number]] == [0, 10, 20]
    assert rows[0]["current_price"] == "not a number"
    assert rows[0]["id"] == []
    assert rows[0]["roi"] == {}


def test_wrong_types_reach_into_envelopes():
    body = json.dumps({"prices": [[1, 2.0], [3, 4.0]], "name": "kept"}).encode()

    damaged = json.loads(damage_types(body, every=2))

    assert damaged == {"prices": [["not a number", "not a number"], [3, 4.0]], "name": "kept"}
    assert json.loads(damage_types(b'{"a": 1}', every=2)) == {"a": "not a number"}


def test_a_dripped_body_is_whole_in_the_end(sandbox: RunningSandbox, http: httpx.Client):
    good = markets(http, sandbox).json()
    strike(sandbox, FaultKind.DRIP, delay_seconds=0.4)

    started = time.monotonic()
    answer = markets(http, sandbox)

    assert time.monotonic() - started > 0.3
    assert answer.json() == good


def test_a_rule_can_wait_be_spent_and_be_about_a_path():
    plan = FaultPlan(
        [FaultRule(kind=FaultKind.UNAVAILABLE, host=GECKO, path_contains="markets", skip_first=1, times=2)]
    )

    struck = [plan.decide(GECKO, "/coins/markets") is not None for _ in range(5)]

    assert struck == [False, True, True, False, False]
    assert plan.decide(GECKO, "/ping") is None
    assert plan.decide("api.alternative.me", "/coins/markets") is None


def test_a_rate_strikes_about_that_share_and_the_same_requests_each_time():
    def fates() -> list[bool]:
        plan = FaultPlan([FaultRule(kind=FaultKind.UNAVAILABLE, rate=0.3)], seed=5)
        return [plan.decide(GECKO, "/") is not None for _ in range(500)]

    assert fates() == fates()
    assert 120 < sum(fates()) < 180


def test_a_cleared_plan_strikes_nothing(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.UNAVAILABLE)

    sandbox.faults.clear()

    assert markets(http, sandbox).status_code == 200


def test_a_rate_above_one_is_refused():
    with pytest.raises(ValueError, match=r"1\.5"):
        FaultRule(kind=FaultKind.DRIP, rate=1.5)


def test_an_empty_body_comes_with_the_good_answers_status_and_type(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.EMPTY_BODY)

    answer = markets(http, sandbox)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.TRUNCATED,
        FaultKind.DRIP,
        FaultKind.EMPTY_BODY,
        FaultKind.WRONG_TYPES,
        FaultKind.IMPOSSIBLE_VALUES,
        FaultKind.FUTURE_TIMESTAMPS,
    ],
)
def test_a_spoiled_answer_keeps_status_and_headers_of_the_good_one(
    sandbox: RunningSandbox, http: httpx.Client, kind: FaultKind
):
    url = f"{sandbox.url_for('api.binance.com')}/api/v3/klines?symbol=NOPE&interval=1d"
    good = http.get(url)
    sandbox.faults.add(FaultRule(kind=kind, host="api.binance.com", delay_seconds=0.05))

    spoiled = http.get(url)

    changing = {"content-length", "transfer-encoding", "date"}
    assert spoiled.status_code == good.status_code == 400
    assert {name: value for name, value in spoiled.headers.items() if name not in changing} == {
        name: value for name, value in good.headers.items() if name not in changing
    }


def test_impossible_prices_are_negative_zero_no_number_or_upside_down(sandbox: RunningSandbox, http: httpx.Client):
    url = f"{sandbox.url_for('api.binance.com')}/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=9"
    good = http.get(url).json()
    sandbox.faults.add(FaultRule(kind=FaultKind.IMPOSSIBLE_VALUES, host="api.binance.com", damage_every=2))

    rows = http.get(url).json()

    assert [rows[place] == good[place] for place in range(9)] == [False, True] * 4 + [False]
    assert [row[0] for row in rows] == [row[0] for row in good]
    assert rows[0][1:5] == [f"-{price}" for price in good[0][1:5]]
    assert rows[2][1:5] == ["0"] * 4
    assert rows[4][1:5] == ["NaN"] * 4
    assert float(rows[6][2]) < float(rows[6][3])


def test_times_to_come_lie_ten_years_ahead(sandbox: RunningSandbox, http: httpx.Client):
    good = markets(http, sandbox).json()
    strike(sandbox, FaultKind.FUTURE_TIMESTAMPS, damage_every=10)

    rows = markets(http, sandbox).json()

    assert [number for number, row in enumerate(rows) if row != good[number]] == [0, 10, 20]
    assert rows[0]["last_updated"].startswith("2035-01-06")
    assert rows[0]["current_price"] == good[0]["current_price"]


def test_a_setting_names_providers_kinds_and_rates():
    plan = FaultPlan.from_text("binance:rate_limited:0.1, coingecko:timeout, www.okx.com:blocked:0.5,*:drip:0")

    assert [(rule.host, rule.kind, rule.rate) for rule in plan.rules] == [
        ("api.binance.com", FaultKind.RATE_LIMITED, 0.1),
        ("data-api.binance.vision", FaultKind.RATE_LIMITED, 0.1),
        ("api.coingecko.com", FaultKind.TIMEOUT, 1.0),
        ("www.okx.com", FaultKind.BLOCKED, 0.5),
        ("*", FaultKind.DRIP, 0.0),
    ]
    assert FaultPlan.from_text("").rules == ()


def test_a_setting_that_cannot_be_read_names_every_wrong_part_and_what_there_is():
    with pytest.raises(FaultSettingError) as refusal:
        FaultPlan.from_text("binanse:timeout,kraken:explode,okx:timeout:often,okx:timeout:2,gate,gate:drip")

    said = str(refusal.value)
    for part in ("'binanse:timeout'", "'kraken:explode'", "'okx:timeout:often'", "'okx:timeout:2'", "'gate'"):
        assert part in said
    assert "coingecko" in said
    assert "truncated" in said
    assert "'gate:drip'" not in said


def test_a_setting_strikes_the_same_requests_each_time():
    def fates() -> list[bool]:
        plan = FaultPlan.from_text("kraken:unavailable:0.3", seed=5)
        return [plan.decide("api.kraken.com", "/") is not None for _ in range(200)]

    assert fates() == fates()
    assert 30 < sum(fates()) < 90


def test_the_log_names_the_fault(sandbox: RunningSandbox, http: httpx.Client):
    strike(sandbox, FaultKind.RATE_LIMITED, times=1)

    markets(http, sandbox)
    markets(http, sandbox)

    assert [(entry.status, entry.fault) for entry in sandbox.requests] == [(429, FaultKind.RATE_LIMITED), (200, None)]
