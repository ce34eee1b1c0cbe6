"""The tables of the state of the market as a run writes them, and what their plots show."""

import itertools
from datetime import date, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from orchestration.defs.market.plots import rotation_weeks, state_plots, trend_spans
from orchestration.lib.market_tables import create_market_tables, newest_state, write_market_tables
from orchestration.lib.versions import create_versioned_tables
from orchestration.lib.warehouse import create_schemas

FIRST = date(2022, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(600)]
CALLED = DAYS[300:]


@pytest.fixture
def warehouse():
    """Two tokens with a call and a grade on each of 300 days; `b` is three times as large, and listed on day 250."""
    with duckdb.connect() as connection:
        create_schemas(connection)
        create_versioned_tables(connection)
        create_market_tables(connection)
        returns = np.random.default_rng(2).normal(0.001, 0.03, len(DAYS))
        market = pl.DataFrame(
            {
                "market_date": DAYS,
                "market_return_1d": returns,
                "market_index_level": 100 * np.cumprod(1 + returns),
                "market_cap_usd": 4e9,
            }
        )
        connection.register("market_rows", market.to_arrow())
        connection.execute("create table marts.fct_market_daily as select * from market_rows")
        connection.execute(
            """
            create table intermediate.int_market_members (token_id varchar, market_date date, return_1d double);
            create table marts.fct_universe_daily (token_id varchar, market_date date, market_cap_usd double);
            create table marts.fct_token_events_daily (token_id varchar, market_date date, event varchar, is_coverage_break boolean);
            create table marts.feat_market_daily (market_date date, btc_price_usd double);
            create table marts.fct_sector_rotation_daily (sector varchar, market_date date, relative_strength double);
            """
        )
        connection.execute("insert into marts.fct_token_events_daily values ('b', ?, 'listed', false)", [DAYS[250]])
        connection.execute(
            """insert into marts.fct_universe_daily
            select token_id, market_date, cap from market_rows cross join (values ('a', 1e9), ('b', 3e9)) as tokens (token_id, cap)"""
        )
        yield connection


def call(connection, token_id, day, signal, *, grade):
    """The current version of a token's call and grade of a day."""
    monday = day + timedelta(days=7 - day.weekday())
    own = {"as_of_week": monday, "market_date": day, "token_id": token_id, "version": 1}
    for table, values in (
        ("daily_signals", {"signal": signal, "signal_since_date": day}),
        ("daily_grades", {"trader_grade": grade}),
    ):
        row = {**own, **values}
        filled = {
            **{"content_hash": "", "recorded_at": "2024-01-01 00:00:00+00", "run_id": "", "code_version": ""},
            **{
                "inputs_hash": "",
                "input_cutoff": "2024-01-01 00:00:00+00",
                "origin": "backfilled",
                "version_reason": "",
            },
        }
        columns = {**filled, **row}
        marks = ", ".join("?" for _ in columns)
        connection.execute(
            f"insert into learning.{table} ({', '.join(columns)}) values ({marks})", list(columns.values())
        )


def test_shares_are_of_tokens_and_of_their_caps(warehouse):
    for number, day in enumerate(CALLED[:40]):
        call(warehouse, "a", day, 1 if number != 30 else -1, grade=90.0)
        call(warehouse, "b", day, 0, grade=70.0)

    write_market_tables(warehouse)

    rows = warehouse.execute("select * from market.bull_bear order by market_date").pl()
    assert rows.height == 40
    assert rows["bullish_share"].to_list()[:2] == [0.5, 0.5]
    assert rows["bullish_cap_share"].to_list()[0] == pytest.approx(0.25)
    assert rows["bearish_cap_share"].to_list()[29:32] == pytest.approx([0.0, 0.25, 0.0])
    assert rows["bullish_share_lowest_since_date"].to_list()[30:32] == [None, CALLED[30]]
    assert newest_state(warehouse)["bullish_share"] == 0.5


def test_a_token_is_new_for_half_a_year_from_its_listing(warehouse):
    # Listed on day 250, so new until day 430; calls begin on day 300.
    for number in (0, 130, 131):
        call(warehouse, "a", CALLED[number], 0, grade=90.0)
        call(warehouse, "b", CALLED[number], 0, grade=70.0)

    write_market_tables(warehouse)

    rows = warehouse.execute("select * from market.grades order by market_date").pl()
    assert rows["new_graded_tokens"].to_list() == [1, 1, 0]
    assert rows["new_high_grade_share"].to_list() == [0.0, 0.0, None]
    assert rows["high_grade_share"].to_list() == [0.5, 0.5, 0.5]


def test_a_second_run_writes_the_same_and_later_days_change_no_earlier_row(warehouse):
    for number, day in enumerate(CALLED):
        call(warehouse, "a", day, 1 if number % 50 < 20 else 0, grade=90.0)
        call(warehouse, "b", day, -1 if number % 70 < 20 else 0, grade=70.0)
    tables = {"bull_bear": "market_date", "signal": "market_date", "regime": "market_date", "grades": "market_date"}

    def written(until):
        write_market_tables(warehouse)
        return {
            name: warehouse.execute(f"select * from market.{name} where {day} < ? order by {day}", [until]).pl()
            for name, day in tables.items()
        }

    cut = DAYS[560]
    full = written(cut)
    again = written(cut)
    for table in ("learning.daily_signals", "learning.daily_grades", "marts.fct_market_daily"):
        warehouse.execute(f"delete from {table} where market_date >= ?", [cut])
    truncated = written(cut)

    assert all(frame.height > 50 for frame in full.values())
    assert all(again[name].equals(frame) for name, frame in full.items())
    assert all(truncated[name].equals(frame) for name, frame in full.items())


def test_before_the_first_call_there_are_no_rows_and_no_plots(warehouse):
    warehouse.execute("delete from marts.fct_market_daily")

    rows = write_market_tables(warehouse)

    assert set(rows.values()) == {0}
    assert newest_state(warehouse) == {}
    assert state_plots(warehouse, "simulated") == {"regime": {}, "bull_bear": {}}


def test_plots_show_the_named_trend_and_the_strongest_sector_first(warehouse):
    sunday = date(2023, 8, 20)
    warehouse.execute(
        "insert into marts.fct_sector_rotation_daily values ('L1', ?, 0.01), ('AI', ?, 0.2), ('AI', ?, -0.1), ('L1', ?, 0.5)",
        [sunday, sunday, sunday - timedelta(days=7), sunday - timedelta(days=1)],
    )
    write_market_tables(warehouse)
    regime = warehouse.execute("select * from market.regime order by market_date").pl()

    weeks, sectors, strengths = rotation_weeks(warehouse)
    spans = trend_spans(regime)
    plots = state_plots(warehouse, "simulated")

    assert (weeks, sectors) == ([sunday - timedelta(days=7), sunday], ["AI", "L1"])
    assert strengths[0] == pytest.approx([-10.0, 20.0])
    assert np.isnan(strengths[1][0])
    assert spans[0][1] == regime["market_date"][0]
    assert spans[-1][2] == regime["market_date"][-1] + timedelta(days=1)
    assert all(before[2] == after[1] for before, after in itertools.pairwise(spans))
    assert plots["regime"]["regime"].value.startswith("![Regime")
    assert plots["bull_bear"]["sector_rotation"].value.startswith("![Sectors")
