"""A clock that went back is refused before anything lands; found by the drill of the clock."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from orchestration.lib.clock_check import ClockBehindError, check_clock
from orchestration.lib.data_folder import DataFolder
from orchestration.lib.landing import LandingStore
from orchestration.sources.datasets import find_dataset

LOADED_AT = datetime(2025, 1, 6, 1, 2, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def folder(tmp_path):
    """A folder with two loads of a price."""
    prices = find_dataset("coingecko", "market_daily")
    row = {"coin_id": ["bitcoin"], "symbol": ["BTC"], "market_date": [date(2025, 1, 5)], "price_usd": [1e5]}
    frame = pl.DataFrame(row).with_columns(market_cap_usd=pl.lit(2e12), volume_24h_usd=pl.lit(3e10))
    for at in (LOADED_AT - timedelta(days=1), LOADED_AT):
        LandingStore(tmp_path).write(
            prices, frame, data_source="live", partition="2025-01-05", loaded_at=at, lag_hours=0.0
        )
    return DataFolder(tmp_path)


def test_a_clock_before_the_newest_load_is_refused_with_both_instants(folder):
    with pytest.raises(ClockBehindError) as refused:
        check_clock(folder, now=LOADED_AT - SECOND)

    said = str(refused.value)
    assert "the clock of this machine says 2025-01-06 01:02:02 UTC" in said
    assert "before the newest landed load" in said
    assert "(2025-01-06 01:02:03 UTC)" in said
    assert "\n" not in said


def test_a_clock_that_goes_on_passes(folder):
    check_clock(folder, now=LOADED_AT + SECOND)


def test_a_clock_is_compared_whatever_its_zone(folder):
    from zoneinfo import ZoneInfo

    check_clock(folder, now=(LOADED_AT + SECOND).astimezone(ZoneInfo("America/New_York")))
    with pytest.raises(ClockBehindError):
        check_clock(folder, now=(LOADED_AT - SECOND).astimezone(ZoneInfo("Pacific/Auckland")))


def test_a_new_folder_has_nothing_to_compare(tmp_path):
    check_clock(DataFolder(tmp_path / "none"), now=LOADED_AT)
