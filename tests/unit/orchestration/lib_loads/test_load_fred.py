"""FRED through its load: what lands is what had been released, and a series that fails leaves the others."""

from datetime import date, timedelta

import polars as pl
import pytest

from orchestration.lib.loads.fred import load_series
from orchestration.sandbox.faults import FaultKind, FaultRule
from orchestration.sandbox.macro import MacroSeries, released_at
from orchestration.sources.errors import SourceError
from orchestration.sources.fred import DAILY, MONTHLY, SERIES, WEEKLY

FIRST_DAY, SUNDAY = date(2022, 1, 3), date(2025, 1, 5)


def true_figures(market, series_id: str, now) -> dict[date, float]:
    """Figures released by an instant, by the last day of their period."""
    figures = {}
    for each in MacroSeries(market.settings).visible(series_id, now):
        end = each.day
        if series_id == "M2SL":
            end = (each.day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if each.text and FIRST_DAY <= end <= SUNDAY:
            figures[end] = float(each.text)
    return figures


def test_what_lands_is_what_had_been_released(opened, ingestion, market, reach):
    span = reach(partition="year")

    load_series(ingestion, opened, span)

    landed = pl.concat([ingestion.store.newest(dataset) for dataset in (DAILY, WEEKLY, MONTHLY)])
    for series_id in SERIES:
        rows = landed.filter(pl.col("series_id") == series_id)
        assert dict(rows.select("market_date", "value").iter_rows()) == true_figures(market, series_id, span.now)
    assert set(landed["feed"]) == {"fred"}


def test_a_daily_run_makes_one_request_a_daily_series_and_lands_what_is_new(opened, ingestion, sandbox, reach):
    load_series(ingestion, opened, reach(partition="year"))
    sandbox.requests.clear()

    results = load_series(ingestion, opened, reach(SUNDAY + timedelta(days=1)))

    daily = [name for name, dataset in SERIES.items() if dataset is DAILY]
    assert sorted(request.query["id"] for request in sandbox.requests) == sorted(daily)
    assert min(request.query["cosd"] for request in sandbox.requests if request.query["id"] == "DGS10") > "2024-12-20"
    # On Monday come: the policy rate of three days, Friday of five series, Monday's curve.
    assert [result.landed for result in results] == [9, 0, 0]


def test_series_that_come_weekly_or_monthly_are_asked_at_a_weeks_end(opened, ingestion, sandbox, reach):
    load_series(ingestion, opened, reach(partition="year"))
    sandbox.requests.clear()

    _, weekly, _ = load_series(ingestion, opened, reach(SUNDAY + timedelta(days=7)))

    assert sorted(request.query["id"] for request in sandbox.requests) == sorted(SERIES)
    assert weekly.landed > 0


def test_money_that_is_revised_lands_as_a_correction(opened, ingestion, market, reach):
    load_series(ingestion, opened, reach(date(2024, 12, 29), partition="year"))
    before = ingestion.store.newest(MONTHLY).sort("market_date")

    load_series(ingestion, opened, reach(date(2025, 4, 6), partition="year"))

    after = ingestion.store.newest(MONTHLY).sort("market_date")
    both = before.join(after, on="market_date", suffix="_after")
    revised = both.filter(pl.col("value") != pl.col("value_after"))
    assert revised["market_date"].to_list() == [date(2024, 9, 30), date(2024, 10, 31), date(2024, 11, 30)]
    assert revised["available_at"].to_list() == revised["available_at_after"].to_list()


def test_a_series_that_fails_leaves_the_others(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="fred.stlouisfed.org", skip_first=10))

    daily, weekly, monthly = load_series(ingestion, opened, reach(partition="year"))

    assert (daily.landed > 0, weekly.landed > 0, monthly.landed) == (True, True, 0)
    assert "M2SL" in monthly.failures


def test_a_source_that_is_down_raises(opened, ingestion, sandbox, reach):
    sandbox.faults.add(FaultRule(kind=FaultKind.BLOCKED, host="fred.stlouisfed.org"))

    with pytest.raises(SourceError, match="refused"):
        load_series(ingestion, opened, reach())


def test_the_sandbox_releases_a_figure_only_after_its_day(market):
    days = [date(2024, 12, 2) + timedelta(days=offset) for offset in range(28)]

    assert all(released_at(series_id, day).date() >= day for series_id in SERIES for day in days)
