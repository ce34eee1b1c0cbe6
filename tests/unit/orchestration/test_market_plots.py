"""What the plots of the market show."""

from datetime import date, timedelta

import duckdb
import pytest

from orchestration.defs.warehouse.plots import PLOTS, SECTORS_SHOWN, sector_levels

LAST = date(2024, 6, 23)


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(
            """create table marts.fct_sectors_daily
            (sector varchar, market_date date, return_1d double, index_level double, market_cap_usd double)"""
        )
        yield connection


def add(connection, sector, *, level, cap=1.0, day=LAST, has_return=True):
    connection.execute(
        "insert into marts.fct_sectors_daily values (?, ?, ?, ?, ?)",
        [sector, day, 0.0 if has_return else None, level, cap],
    )


def test_sectors_begin_the_year_at_a_hundred_and_the_best_comes_first(warehouse):
    before, first = LAST - timedelta(days=365), LAST - timedelta(days=364)
    for sector, level in (("DeFi", 60.0), ("Meme", 90.0)):
        add(warehouse, sector, level=1.0, day=before)
        add(warehouse, sector, level=30.0, day=first)
        add(warehouse, sector, level=level)

    levels = sector_levels(warehouse)

    assert levels == {"Meme": ([first, LAST], [100.0, 300.0]), "DeFi": ([first, LAST], [100.0, 200.0])}
    assert list(levels) == ["Meme", "DeFi"]


def test_the_largest_sectors_are_shown_and_none_that_never_had_enough_tokens(warehouse):
    for number in range(SECTORS_SHOWN + 1):
        add(warehouse, f"sector {number}", level=100.0, cap=number)
    add(warehouse, "thin", level=100.0, cap=1e9, has_return=False)

    assert set(sector_levels(warehouse)) == {f"sector {number}" for number in range(1, SECTORS_SHOWN + 1)}


def test_a_market_without_a_row_is_plotted_too(warehouse):
    warehouse.execute(
        """create table marts.fct_market_daily (market_date date, market_cap_usd double, altcoin_market_cap_usd double,
        stablecoin_market_cap_usd double, btc_dominance double, eth_dominance double, stablecoin_share double)"""
    )
    warehouse.execute(
        "create table marts.feat_market_daily (market_date date, btc_price_usd double, btc_sma_200d_usd double)"
    )

    texts = [draw(warehouse, "simulated").value for plots in PLOTS.values() for draw in plots.values()]

    assert len(texts) == 4
    assert all("data:image/png;base64," in text for text in texts)
