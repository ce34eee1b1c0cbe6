"""No macro figure is known before it was released: the seed's lags against the release calendars of the agencies.

The calendars, as published by the Federal Reserve (H.15, H.10, H.4.1, H.6 release pages), the Federal Reserve Bank of New
York (reverse repos) and FRED's release calendar; holidays are those of the federal government.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from pandas.tseries.holiday import USFederalHolidayCalendar

from orchestration.lib.landing import LandingStore, find_lag, read_lags
from orchestration.sources.fred import MONTHLY, SERIES

SEED = Path(__file__).parents[4] / "dbt_project" / "seeds" / "publication_lags.csv"
NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = date(2015, 1, 1), date(2027, 12, 31)
HOLIDAYS = {stamp.date() for stamp in USFederalHolidayCalendar().holidays(FIRST, LAST + timedelta(days=40))}
SHOWN_WITHIN = timedelta(minutes=60)
"""How long FRED may take to show a figure after its release."""


def is_business_day(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


def business_day_from(day: date) -> date:
    return day if is_business_day(day) else business_day_from(day + timedelta(days=1))


def h15(day: date) -> datetime:
    """Rates: the next business day at 16:15."""
    return at(business_day_from(day + timedelta(days=1)), 16, 15)


def h10(day: date) -> datetime:
    """The dollar: Monday at 16:15 for all days of the week before, the next business day where Monday is a holiday."""
    return at(business_day_from(day + timedelta(days=7 - day.weekday())), 16, 15)


def h41(day: date) -> datetime:
    """The Fed's assets as of Wednesday: Thursday at 16:30, or the next business day."""
    return at(business_day_from(day + timedelta(days=1)), 16, 30)


def h6(month: date) -> datetime:
    """Money of a month: the fourth Tuesday of the next month at 13:00 (since 2021; earlier before)."""
    following = (month + timedelta(days=32)).replace(day=1)
    tuesdays = [
        following + timedelta(days=offset)
        for offset in range(31)
        if (following + timedelta(days=offset)).weekday() == 1
    ]
    return at(business_day_from(tuesdays[3]), 13, 0)


def at(day: date, hour: int, minute: int) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=NEW_YORK).astimezone(UTC)


RELEASES = {
    "DFF": h15,
    "DGS10": h15,
    "DGS2": h15,
    "DFII10": h15,
    "T10YIE": h15,  # made of two of H.15; FRED computes it on the evening before
    "T10Y2Y": h15,
    "VIXCLS": lambda day: at(business_day_from(day + timedelta(days=1)), 9, 0),
    "DTWEXBGS": h10,
    "WALCL": h41,
    "RRPONTSYD": lambda day: at(business_day_from(day), 13, 15),
    "M2SL": h6,
}


def observed(series_id: str) -> list[date]:
    days = [FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days)]
    if series_id == "M2SL":
        return [day for day in days if day.day == 1]
    if series_id == "WALCL":
        return [day for day in days if day.weekday() == 2]
    return days if series_id == "DFF" else [day for day in days if is_business_day(day)]


def end_of(series_id: str, day: date) -> date:
    """Last day of the period that the figure of a day describes."""
    return (pd.Timestamp(day) + pd.offsets.MonthEnd(0)).date() if SERIES[series_id] is MONTHLY else day


@pytest.mark.parametrize("series_id", SERIES)
def test_no_figure_is_known_before_its_release(series_id, tmp_path):
    dataset, lags = SERIES[series_id], read_lags(SEED)
    days = observed(series_id)
    ends = [end_of(series_id, day) for day in days]
    store = LandingStore(tmp_path)

    store.write(
        dataset,
        pl.DataFrame({"series_id": series_id, "market_date": ends, "value": 1.0, "feed": "fred"}),
        data_source="live",
        partition="2027",
        loaded_at=datetime(2028, 1, 1, tzinfo=UTC),
        lag_hours=find_lag(lags, dataset),
    )

    known = store.newest(dataset).sort("market_date")["available_at"].to_list()
    margins = [known_at - RELEASES[series_id](day) - SHOWN_WITHIN for day, known_at in zip(days, known, strict=True)]
    early = [day for day, margin in zip(days, margins, strict=True) if margin < timedelta(0)]
    assert early == []


@pytest.mark.parametrize(("name", "longest_margin"), [("daily", 30), ("weekly", 30), ("monthly", 192)])
def test_the_lags_are_little_longer_than_the_slowest_series_takes(name, longest_margin):
    names = [series_id for series_id, dataset in SERIES.items() if dataset.name == f"series_{name}"]
    lag = find_lag(read_lags(SEED), SERIES[names[0]])

    waits = [
        (RELEASES[series_id](day) - datetime.combine(end_of(series_id, day) + timedelta(days=1), time(), tzinfo=UTC))
        for series_id in names
        for day in observed(series_id)
    ]

    assert 0 <= lag - max(waits).total_seconds() / 3600 < longest_margin
