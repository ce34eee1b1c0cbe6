"""All adapters against the project's own sandbox server: the wire, not a mock of our client."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.sources.alternative_me import fetch_fear_greed
from orchestration.sources.coingecko import CoinGecko
from orchestration.sources.coinmetrics import CoinMetrics
from orchestration.sources.http import HttpClient
from tests.limits import QUICK

sandbox_runner = pytest.importorskip("orchestration.sandbox.runner")
sandbox_market = pytest.importorskip("orchestration.sandbox.market")
sandbox_faults = pytest.importorskip("orchestration.sandbox.faults")

NOW = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
NEWEST = date(2025, 1, 5)
PATIENT = replace(QUICK, attempts=3)
IMPATIENT = replace(PATIENT, read_seconds=1.5, total_seconds=2.0)
"""For the test of answers that take a minute."""


@pytest.fixture(scope="module")
def market():
    return sandbox_market.simulate_market()


@pytest.fixture
def sandbox(market):
    with sandbox_runner.running_sandbox(market, NOW) as running:
        yield running


@pytest.fixture
def http():
    with HttpClient(limits=PATIENT) as client:
        yield client


def coingecko(sandbox, http) -> CoinGecko:
    return CoinGecko(http, base_url=sandbox.url_for("api.coingecko.com/api/v3"))


def test_coingecko_serves_universe_history_and_categories(sandbox, http):
    source = coingecko(sandbox, http)

    markets = source.fetch_markets(now=NOW)
    coin_id = markets.frame["coin_id"][0]
    start = NEWEST - timedelta(days=1000)
    history = source.fetch_market_daily(coin_id, symbol=None, start=start, end=NEWEST, now=NOW)
    recent = source.fetch_market_daily(coin_id, symbol=None, start=NEWEST, end=NEWEST, now=NOW)
    names = source.fetch_categories()
    members = source.fetch_asset_categories(list(names)[:3], names=names, now=NOW)
    document = source.fetch_coin(coin_id)

    assert markets.frame.height > 50
    assert history.frame["market_date"].max() == NEWEST
    assert history.frame.height > 900
    assert recent.frame["price_usd"][-1] == history.frame["price_usd"][-1]
    assert members.frame.height > 0
    assert document.coin_id == coin_id


def test_coinmetrics_serves_metrics_of_the_catalogue(sandbox, http):
    source = CoinMetrics(http, base_url=sandbox.url_for("community-api.coinmetrics.io/v4"))

    catalogue = source.fetch_catalogue(["btc"])
    fetched = source.fetch_asset_metrics(catalogue, start=date(2024, 12, 1), end=NEWEST, now=NOW)

    assert set(fetched.frame["metric"]) <= set(catalogue["btc"])
    assert fetched.frame["market_date"].max() >= date(2025, 1, 4)


def test_alternative_me_serves_finished_days(sandbox, http):
    fetched = fetch_fear_greed(http, now=NOW, base_url=sandbox.url_for("api.alternative.me"))

    assert fetched.frame["market_date"].max() <= NEWEST
    assert fetched.frame.height > 300


SLOW = ["timeout", "drip"]
QUICK = [
    "rate_limited", "rate_limited_retry_after", "internal_error", "unavailable", "truncated", "disconnected",
    "html_page", "error_under_200",
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "limits"), [*((kind, PATIENT) for kind in QUICK), *((kind, IMPATIENT) for kind in SLOW)]
)
def test_a_passing_fault_is_survived(sandbox, kind, limits):
    rule = sandbox_faults.FaultRule(
        kind=sandbox_faults.FaultKind(kind), times=1, retry_after_seconds=0, delay_seconds=60.0
    )
    sandbox.faults.add(rule)

    with HttpClient(limits=limits) as http:
        fetched = coingecko(sandbox, http).fetch_markets(now=NOW)

    assert fetched.frame.height > 50
    assert sandbox.faults.struck == 1


def test_wrong_types_go_to_quarantine_and_the_rest_lands(sandbox, http):
    sandbox.faults.add(sandbox_faults.FaultRule(kind=sandbox_faults.FaultKind("wrong_types")))

    fetched = coingecko(sandbox, http).fetch_markets(now=NOW)

    assert fetched.frame.height > 50
    assert len(fetched.rejected) > 5
