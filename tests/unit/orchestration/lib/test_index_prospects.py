"""Capacity, start dates and contribution plans of recorded indices."""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest

from models_ml.backtest.capacity import capacity
from orchestration.lib.index_prospects import CREATE_TABLES, write_prospects
from tests.unit.orchestration.builds import one_token_index

FIRST, DAYS = dt.date(2022, 1, 10), 800
CAPITALS_USD = (1e4, 1e5, 1e6, 1e7)


DEFINITIONS = [
    one_token_index("tilted", twin="plain"),
    one_token_index("plain"),
    one_token_index("unborn", twin="plain"),
]


def grown(index_id, *, a_year, capital_usd, first=FIRST, days=DAYS):
    dates = [first + dt.timedelta(days=day) for day in range(days)]
    levels = 1000 * (1 + a_year) ** (np.arange(days) / 365)
    return pl.DataFrame({"date": dates, "index_id": [index_id] * days, "capital_usd": capital_usd, "level_net": levels})


@pytest.fixture
def net():
    """An index that earns 40, 30, 20 and 10 % a year the more money it has, and begins later than a twin that earns 25 %."""
    later = {"first": FIRST + dt.timedelta(days=100), "days": DAYS - 100}
    return pl.concat(
        [
            *(
                grown("tilted", a_year=0.4 - 0.1 * step, capital_usd=capital, **later)
                for step, capital in enumerate(CAPITALS_USD)
            ),
            *(grown("plain", a_year=0.25, capital_usd=capital) for capital in CAPITALS_USD),
        ]
    )


@pytest.fixture
def connection(net):
    small = net.filter(pl.col("capital_usd") == CAPITALS_USD[0]).select("date", "index_id", level="level_net")
    bitcoin = small.filter(pl.col("index_id") == "plain").with_columns(index_id=pl.lit("bitcoin"))
    with duckdb.connect() as opened:
        opened.execute("create schema indices")
        for statement in CREATE_TABLES:
            opened.execute(statement)
        write_prospects(
            opened,
            DEFINITIONS,
            net=net,
            levels=pl.concat([small, bitcoin]),
            benchmarks={"tilted": ["bitcoin", "plain"], "plain": ["bitcoin"]},
        )
        yield opened


def test_capacity_lies_where_the_straight_line_between_two_published_capitals_meets_the_twin(connection, net):
    rows = connection.execute("select index_id, twin_id, capacity_usd, reason, first_date from indices.capacity").pl()

    assert rows.select("index_id", "twin_id", "reason").rows() == [("tilted", "plain", None)]
    assert rows["first_date"][0] == FIRST + dt.timedelta(days=100)
    # Half way from 30 % at 100 k to 20 % at a million, in the logarithm of the capital.
    assert rows["capacity_usd"][0] == pytest.approx(10**5.5)
    assert rows["capacity_usd"][0] == pytest.approx(capacity(net, {"tilted": "plain"})["capacity_usd"][0], rel=1e-12)


def test_start_dates_spread_over_every_month_with_a_year_to_go(connection):
    rows = connection.execute(
        "select median, percentile_10, percentile_90, share_above_0, starts from indices.start_dates "
        "where index_id = 'tilted' and benchmark = 'plain' and metric = 'annual_return_difference'"
    ).fetchall()

    # From 2022-05-01 to 2023-03-01: the last level is that of 2024-03-19.
    assert rows == [pytest.approx((0.15, 0.15, 0.15, 1.0, 11), abs=1e-9)]
    assert connection.execute("select count(*) from indices.start_dates where index_id = 'bitcoin'").fetchone() == (0,)


def test_plans_of_indices_and_not_of_benchmarks_earn_what_the_level_does(connection):
    rows = connection.execute("select index_id, plan, money_weighted_return from indices.plans order by all").fetchall()

    assert [row[:2] for row in rows] == [
        (index_id, plan) for index_id in ("plain", "tilted") for plan in ("lump_sum", "monthly", "weekly")
    ]
    assert [row[2] for row in rows] == pytest.approx([0.25] * 3 + [0.4] * 3)
