"""What the plots of the flagship index show."""

from datetime import date, timedelta

import duckdb
import pytest

from models_ml.indices.definition import FLAGSHIP
from orchestration.defs.indices.plots import (
    OTHERS,
    SHOWN_TOKENS,
    STABLES,
    drawdowns,
    flagship,
    holdings_by_week,
    index_plots,
    turnover_by_month,
    worth_of,
)
from orchestration.lib.index_backtest import create_backtest_tables
from tests.unit.orchestration.builds import one_token_index

FIRST = date(2024, 1, 1)


OWN, TWIN = one_token_index(FLAGSHIP, twin="plain"), one_token_index("plain")


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        connection.execute("create schema indices")
        connection.execute("create schema marts")
        create_backtest_tables(connection)
        connection.execute("create table marts.fct_daily (token_id varchar, market_date date, price_usd double)")
        connection.execute("create table marts.fct_market_daily (market_date date, market_index_level double)")
        connection.execute(
            """create table indices.compositions_current
            (as_of_week date, index_id varchar, token_id varchar, symbol varchar, weight double, reason varchar)"""
        )
        yield connection


def add_level(connection, index_id, day, level, *, turnover=0.0, capital=1e4):
    connection.execute(
        "insert into indices.net_levels values (?, ?, ?, ?, 0, ?, 0, 0)",
        [FIRST + timedelta(days=day), index_id, capital, level, turnover],
    )


def hold(connection, week, token_id, weight, reason="stays (rank 1)"):
    monday = FIRST + timedelta(days=7 * week)
    connection.execute(
        "insert into indices.compositions_current values (?, ?, ?, upper(?), ?, ?)",
        [monday, FLAGSHIP, token_id, token_id, weight, reason],
    )


def test_the_flagship_is_shown_else_an_index_with_a_twin_else_any():
    tilted = one_token_index("tilted", twin="plain")

    assert flagship([TWIN, tilted, OWN]) == OWN
    assert flagship([TWIN, tilted]) == tilted
    assert flagship([TWIN]) == TWIN
    assert flagship([]) is None


def test_worth_begins_at_a_hundred_on_the_first_day_that_index_and_twin_have(warehouse):
    for day in range(4):
        add_level(warehouse, "plain", day, 10.0 + day)
        warehouse.execute("insert into marts.fct_daily values ('bitcoin', ?, ?)", [FIRST + timedelta(days=day), 5.0])
    for day, level in ((2, 1000.0), (3, 1100.0)):
        add_level(warehouse, FLAGSHIP, day, level)
        add_level(warehouse, FLAGSHIP, day, 7.0, capital=1e7)

    worth = worth_of(warehouse, OWN)

    days = [FIRST + timedelta(days=day) for day in (2, 3)]
    assert list(worth) == [FLAGSHIP, "plain", "bitcoin"]
    assert worth[FLAGSHIP] == (days, pytest.approx([100.0, 110.0]))
    assert worth["plain"] == (days, pytest.approx([100.0, 1300 / 12]))
    assert worth["bitcoin"] == (days, [100.0, 100.0])


def test_a_drawdown_is_measured_from_the_highest_level_so_far():
    days = [FIRST + timedelta(days=day) for day in range(4)]

    assert drawdowns({"a": (days, [100.0, 80.0, 120.0, 90.0])}) == {"a": (days, pytest.approx([0, -20, 0, -25]))}


def test_small_holdings_are_others_stablecoins_stand_apart_and_a_missing_week_is_empty(warehouse):
    for number in range(SHOWN_TOKENS + 2):
        hold(warehouse, 0, f"t{number}", 0.05 if number >= SHOWN_TOKENS else 0.06 + number / 1000)
    hold(warehouse, 2, "t0", 0.4)
    hold(
        warehouse, 2, "usdx", 0.6, reason="held since 2024-01-08; rotated into stables: 60.0 % of the index, BTC is low"
    )

    weeks, weights = holdings_by_week(warehouse, OWN)

    assert weeks == [FIRST + timedelta(days=7 * week) for week in range(3)]
    assert list(weights)[-2:] == [OTHERS, STABLES]
    assert next(iter(weights)) == "T0"
    assert weights["T0"] == pytest.approx([6.0, 0.0, 40.0])
    assert weights[OTHERS] == pytest.approx([10.0, 0.0, 0.0])
    assert weights[STABLES] == pytest.approx([0.0, 0.0, 60.0])


def test_turnover_is_added_up_by_month_without_the_first_purchase(warehouse):
    for day, turnover in ((0, 0.5), (1, 0.1), (2, 0.2), (31, 0.3)):
        add_level(warehouse, FLAGSHIP, day, 1.0, turnover=turnover)

    months, turnover = turnover_by_month(warehouse, OWN)

    assert (months, turnover) == ([FIRST, date(2024, 2, 1)], pytest.approx([30.0, 30.0]))


def test_there_are_two_figures_and_none_before_there_is_a_level(warehouse):
    assert index_plots(warehouse, [OWN, TWIN], "simulated") == {}

    for day in range(3):
        for index_id in (FLAGSHIP, "plain"):
            add_level(warehouse, index_id, day, 100.0 + day)
    hold(warehouse, 0, "a", 1.0)
    figures = index_plots(warehouse, [OWN, TWIN], "simulated")

    assert list(figures) == ["performance", "holdings"]
    assert all("data:image/png;base64," in figure.value for figure in figures.values())
