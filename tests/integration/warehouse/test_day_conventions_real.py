"""The break of 2018-01-30 in CoinGecko's feed, in the day conventions of the warehouse that is built from the archive's two dates.

`date` is the feed's own; `close_date` is the archive's correction of it. The numbers go into docs/results/day-conventions.md.
"""

from datetime import UTC, date, datetime

import duckdb
import polars as pl
import pytest

from orchestration.lib.bulk_import import import_archive, load_mapping
from orchestration.lib.connections import LAGS
from orchestration.lib.landing import LandingStore, read_lags
from orchestration.settings import REPOSITORY_ROOT
from tests.integration.warehouse.test_warehouse_real_history import ARCHIVE

WEEK = date(2018, 5, 7)
FROM = date(2017, 8, 1)
MODEL = ("--select", "+day_conventions", "--exclude-resource-type", "unit_test")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ARCHIVE.is_dir(), reason=f"no archive in {ARCHIVE} (TIDEMARK_SHARED_DATA)"),
]


def conventions(new_warehouse, folder, day):
    """Day conventions of CoinGecko where the day of its closes is the archive's column `day`."""
    warehouse = new_warehouse()
    folder.mkdir()
    within = f"between date '{FROM}' and date '{WEEK}'"
    with duckdb.connect(config={"threads": 2}) as connection:
        for name, columns, condition in (
            ("market_daily_coingecko", f"* replace ({day} as close_date)", f"{day} {within}"),
            ("candles_daily_cmc", "*", f"date {within} and source = 'cmc_to_2020'"),
            ("candles_daily_yahoo", "*", f"date {within}"),
        ):
            connection.execute(
                f"copy (select {columns} from '{ARCHIVE}/{name}.parquet' where {condition}) to '{folder}/{name}.parquet'"
            )
    import_archive(
        load_mapping(REPOSITORY_ROOT / "orchestration" / "mappings" / "shared_data.yaml"),
        folder,
        LandingStore(warehouse.root),
        as_of=datetime(WEEK.year, WEEK.month, WEEK.day, tzinfo=UTC),
        loaded_at=datetime(2026, 1, 1, tzinfo=UTC),
        lags=read_lags(LAGS),
    )
    printed = warehouse.build(WEEK, arguments=MODEL)
    return warehouse.query("select * from quality.day_conventions order by source, month_date"), printed


@pytest.fixture(scope="module")
def as_delivered(new_warehouse, tmp_path_factory):
    return conventions(new_warehouse, tmp_path_factory.mktemp("delivered") / "archive", "date")


@pytest.fixture(scope="module")
def as_corrected(new_warehouse, tmp_path_factory):
    return conventions(new_warehouse, tmp_path_factory.mktemp("corrected") / "archive", "close_date")


def test_the_feed_as_delivered_is_a_day_late_from_february_2018_on(as_delivered):
    rows, printed = as_delivered
    coingecko = rows.filter(pl.col("source") == "coingecko")
    shifts = dict(coingecko.select("month_date", "best_shift_days").rows())

    assert coingecko["tokens"].min() >= 5
    assert [shifts[date(2017, month, 1)] for month in (9, 10, 11, 12)] == [0, 0, 0, 0]
    assert [shifts[date(2018, month, 1)] for month in (2, 3, 4)] == [-1, -1, -1]
    assert coingecko.filter(pl.col("month_date") == date(2018, 1, 1))["run_from_date"].item() == date(2018, 1, 30)
    assert "WARN=1" in printed


def test_no_other_provider_is_blamed_for_it(as_delivered):
    rows, _ = as_delivered

    assert rows.filter((pl.col("source") != "coingecko") & (pl.col("best_shift_days") != 0)).is_empty()
    assert set(rows["source"]) == {"coingecko", "coinmarketcap", "yahoo"}


def test_the_corrected_days_show_no_break(as_corrected):
    rows, printed = as_corrected

    assert set(rows["best_shift_days"]) == {0}
    assert rows["run_days"].max() < 5  # what the warning leaves to noise
    assert "WARN=0" in printed
