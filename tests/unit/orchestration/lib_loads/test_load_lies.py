"""A provider that lies in good form about a week: nothing of it lands, and the next honest answer fills the gap."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.contradictions import PRICES_OFF, REPEATED_DAY
from orchestration.lib.loads import STEPS
from orchestration.lib.quarantine import summarise
from orchestration.lib.source_journal import SourceJournal
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.lies import LIES
from orchestration.sources.datasets import find_dataset

TODAY = date(2025, 1, 5)
BEFORE, FIRST_DAY = TODAY - timedelta(days=7), TODAY - timedelta(days=40)


@pytest.fixture
def load(ingestion, opened, new_process):
    """Runs a step as a run does; returns its outcome for the dataset that has the prices."""

    def attempt(name, reach):
        new_process()
        step = next(each for each in STEPS if each.name == name)
        outcome = step.attempt(ingestion, opened, reach, journal=SourceJournal(ingestion.store.root), run_id="lies")
        assert outcome.down is None
        return outcome.results[0]

    return attempt


COINGECKO = ("coingecko_market_daily", "api.coingecko.com", ("price_usd", "market_cap_usd"))
BINANCE = ("binance_candles_daily", "api.binance.com", ("close_quote",))


@pytest.mark.parametrize(
    ("kind", "step", "host", "prices"),
    [*((kind, *COINGECKO) for kind in LIES), *((kind, *BINANCE) for kind in LIES)],
)
def test_a_week_of_lies_does_not_land_and_is_filled_by_the_truth(
    load, ingestion, opened, sandbox, kind, step, host, prices
):
    dataset = find_dataset(*step.split("_", 1)) if "candles" in step else find_dataset("coingecko", "market_daily")
    load(step, opened.reach(last=BEFORE, first=FIRST_DAY, partition="year"))
    honest = ingestion.store.newest(dataset)
    sandbox.faults.add(FaultRule(kind=kind, host=host))

    lied = load(step, opened.reach(last=TODAY, first=FIRST_DAY, partition="day"))

    assert sandbox.faults.struck > 0
    assert lied.quarantined > 100
    assert lied.failures
    reason = REPEATED_DAY if kind is FaultKind.YESTERDAY_AS_TODAY else PRICES_OFF
    assert reason in summarise(ingestion.store, dataset)["reason"].to_list()
    during = ingestion.store.newest(dataset)
    assert during.filter(pl.col("market_date") <= BEFORE).height == honest.height

    sandbox.faults.clear()
    load(step, opened.reach(last=TODAY, first=FIRST_DAY, partition="day"))
    truth = ingestion.store.newest(dataset).select(list(dataset.columns))

    told = during.select(list(dataset.columns)).join(truth, on=list(dataset.key), suffix="_true")
    for price in prices:
        assert told.filter((pl.col(price) / pl.col(f"{price}_true")).log().abs() > 0.1).height == 0
    assert truth.filter(pl.col("market_date") > BEFORE).height > 0.6 * lied.received


def test_an_honest_week_is_held_back_nowhere(load, ingestion, opened, sandbox):
    load("coingecko_market_daily", opened.reach(last=BEFORE, first=FIRST_DAY, partition="year"))

    week = load("coingecko_market_daily", opened.reach(last=TODAY, first=FIRST_DAY, partition="day"))

    assert week.failures == {}
    assert week.landed > 7 * 80
    assert not {PRICES_OFF, REPEATED_DAY} & set(summarise(ingestion.store)["reason"].to_list())


def test_the_market_s_total_is_believed_no_more_than_those_of_its_categories(load, ingestion, opened, sandbox):
    categories, market = find_dataset("coingecko", "category_daily"), find_dataset("coingecko", "global_daily")
    load("coingecko_totals", opened.reach(last=BEFORE, first=FIRST_DAY, partition="day"))
    before = [ingestion.store.newest(dataset).height for dataset in (categories, market)]
    sandbox.faults.add(FaultRule(kind=FaultKind.PRICES_TENFOLD, host="api.coingecko.com"))

    lied = load("coingecko_totals", opened.reach(last=TODAY, first=FIRST_DAY, partition="day"))

    assert lied.quarantined > 5
    assert [ingestion.store.newest(dataset).height for dataset in (categories, market)] == before
    assert summarise(ingestion.store, market)["reason"].to_list() == [PRICES_OFF]
