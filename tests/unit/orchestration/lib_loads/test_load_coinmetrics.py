"""Coin Metrics through its load: what lands is the simulated truth, a batch of tokens at a time."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.loads import coinmetrics
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sources.coinmetrics import ASSET_METRICS, CoinMetrics
from orchestration.sources.errors import SourceError

SUNDAY = date(2025, 1, 5)
PUBLISHED = SUNDAY - timedelta(days=1)  # a day late


def test_every_metric_of_every_day_lands_as_it_was(opened, ingestion, market, reach):
    coinmetrics.load_onchain(ingestion, opened, reach(partition="year"))

    landed = ingestion.store.newest(ASSET_METRICS).select("asset", "market_date", "metric", "value")
    names = [name for name in market.on_chain.columns if name in coinmetrics.ONCHAIN_METRICS]
    expected = (
        market.on_chain.filter(pl.col("market_date") <= PUBLISHED)
        .unpivot(names, index=["asset", "market_date"], variable_name="metric", value_name="truth")
        .drop_nulls("truth")
    )
    chains = expected.filter(pl.col("metric").is_in(coinmetrics.CHAIN_METRICS))["asset"].unique()
    both = landed.join(
        expected.filter(pl.col("asset").is_in(chains)), on=["asset", "market_date", "metric"], how="full"
    )
    assert both.filter(pl.col("value").is_null() | pl.col("truth").is_null()).is_empty()
    assert both.filter((pl.col("value") / pl.col("truth") - 1).abs() > 1e-6).is_empty()
    assert set(landed["metric"]) == set(names)


def test_provisional_rows_keep_their_status_and_become_reviewed(opened, ingestion, market, reach):
    coinmetrics.load_onchain(ingestion, opened, reach(partition="year"))
    flows = pl.col("metric").str.starts_with("Flow")
    before = ingestion.store.newest(ASSET_METRICS).filter(flows & (pl.col("market_date") == PUBLISHED))

    coinmetrics.load_onchain(ingestion, opened, reach(SUNDAY + timedelta(days=1)))

    after = ingestion.store.newest(ASSET_METRICS).filter(flows & (pl.col("market_date") == PUBLISHED))
    assert (set(before["status"]), set(after["status"])) == ({"flash"}, {"reviewed"})
    assert before.height == after.height > 0


def test_a_daily_run_makes_few_requests(opened, ingestion, sandbox, reach):
    coinmetrics.load_onchain(ingestion, opened, reach(partition="year"))
    first = len(sandbox.requests)
    sandbox.requests.clear()

    (result,) = coinmetrics.load_onchain(ingestion, opened, reach(SUNDAY + timedelta(days=1)))

    assert first < 20
    assert len(sandbox.requests) < 8
    assert 0 < result.landed < 200


def test_a_forbidden_metric_does_not_lose_the_request(opened, sandbox, reach):
    span = reach()
    source = CoinMetrics(opened.http("coinmetrics"), base_url=opened.base_url("coinmetrics"))

    fetched = source.fetch_asset_metrics(
        {"btc": ["AdrActCnt", "SOPR", "CapRealUSD"]}, start=SUNDAY - timedelta(days=5), end=SUNDAY, now=span.now
    )

    assert set(fetched.frame["metric"]) == {"AdrActCnt"}


def test_a_killed_first_load_goes_on_where_it_stopped(opened, ingestion, sandbox, reach, new_process, monkeypatch):
    monkeypatch.setattr(coinmetrics, "BATCH_TOKENS", 3)
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, path_contains="/timeseries/", skip_first=2))
    (stopped,) = coinmetrics.load_onchain(ingestion, opened, reach(partition="year"))
    kept = set(ingestion.store.newest(ASSET_METRICS)["asset"])
    sandbox.faults.clear()
    sandbox.requests.clear()
    new_process()

    coinmetrics.load_onchain(ingestion, opened, reach(partition="year"))

    whole = [request.query["assets"] for request in sandbox.requests if request.query.get("start_time") == "2022-01-03"]
    assert stopped.failures
    assert kept
    assert kept.isdisjoint(",".join(whole).split(","))
    assert set(ingestion.store.newest(ASSET_METRICS)["asset"]) > kept


def test_a_source_that_is_down_raises(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, path_contains="/timeseries/"))

    with pytest.raises(SourceError):
        coinmetrics.load_onchain(ingestion, opened, reach())


def test_days_missed_while_it_was_down_come_with_the_next_load(opened, ingestion, market, sandbox, reach, new_process):
    coinmetrics.load_onchain(ingestion, opened, reach(SUNDAY - timedelta(days=14), partition="year"))
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, path_contains="/timeseries/"))
    with pytest.raises(SourceError):
        coinmetrics.load_onchain(ingestion, opened, reach(SUNDAY - timedelta(days=7)))
    sandbox.faults.clear()
    new_process()

    coinmetrics.load_onchain(ingestion, opened, reach())

    key = ["asset", "market_date", "metric"]
    landed = ingestion.store.newest(ASSET_METRICS)
    truth = market.on_chain.filter(pl.col("market_date") <= PUBLISHED).unpivot(
        set(landed["metric"]), index=["asset", "market_date"], variable_name="metric", value_name="truth"
    )
    expected = truth.drop_nulls().join(landed, on=["asset", "metric"], how="semi")
    assert expected.filter(pl.col("market_date") > SUNDAY - timedelta(days=14)).height > 100
    assert expected.join(landed, on=key, how="anti").is_empty()


def test_only_tokens_whose_chain_is_read_are_wanted_with_our_metrics():
    catalogue = {"btc": ("AdrActCnt", "HashRate", "ROI1yr", "SOPR"), "sol": ("ReferenceRateUSD",), "x": ("TxCnt",)}

    assert coinmetrics.wanted_metrics(catalogue) == {"btc": ("AdrActCnt", "HashRate"), "x": ("TxCnt",)}
