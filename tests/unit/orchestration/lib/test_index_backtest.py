"""Figures and net levels from recorded rebalances and closes."""

import datetime as dt

import duckdb
import numpy as np
import polars as pl
import pytest

from orchestration.lib.index_backtest import create_backtest_tables, write_backtests
from tests.unit.orchestration.builds import one_token_index

FIRST, DAYS = dt.date(2023, 1, 2), 500
UNTIL = FIRST + dt.timedelta(days=DAYS)


def definition(index_id, **fields):
    return one_token_index(index_id, **({"base": {"level": 100}} | fields))


@pytest.fixture
def connection():
    steps = np.random.default_rng(1).normal(0.001, 0.04, size=(DAYS, 3))
    paths = dict(zip(("bitcoin", "ethereum", "dot"), 100 * np.exp(np.cumsum(steps, axis=0)).T, strict=True))
    days = [FIRST + dt.timedelta(days=day) for day in range(DAYS)]
    daily = pl.concat(
        pl.DataFrame({"market_date": days, "token_id": [name] * DAYS, "price_usd": path})
        for name, path in paths.items()
    ).with_columns(trusted_volume_24h_usd=pl.lit(1e9), is_carried=pl.lit(value=False))
    market = pl.DataFrame({"market_date": days, "market_index_level": paths["bitcoin"] * 2})
    bought = dt.datetime(2023, 3, 1, tzinfo=dt.UTC)
    rebalances = pl.DataFrame(
        {
            "index_id": ["tilted", "plain", "gone"],
            "effective_at": [bought] * 3,
            "token_id": ["dot", "bitcoin", "dot"],
            "target_weight": [1.0] * 3,
        }
    )
    with duckdb.connect() as opened:
        opened.execute("set TimeZone = 'UTC'")
        opened.execute("create schema indices")
        opened.execute("create schema marts")
        for name, frame in (
            ("marts.fct_daily", daily),
            ("marts.fct_market_daily", market),
            ("indices.rebalances_current", rebalances),
        ):
            opened.register("rows_of", frame.to_arrow())
            opened.execute(f"create table {name} as select * from rows_of")
        opened.execute(
            "create table marts.fct_ranges_daily (token_id varchar, market_date date, high_usd double, low_usd double)"
        )
        opened.execute(
            "create table marts.fct_liquidity_daily (token_id varchar, market_date date, bid_ask_spread double)"
        )
        create_backtest_tables(opened)
        yield opened


def value(connection, **keys):
    conditions = " and ".join(f"{name} is not distinct from ?" for name in keys)
    return connection.execute(
        f"select value from indices.statistics where {conditions}", list(keys.values())
    ).fetchone()[0]


def test_an_index_of_bitcoin_has_the_return_of_bitcoin_and_no_tracking_error(connection):
    write_backtests(connection, [definition("plain")], until=UNTIL)

    start, end = (
        connection.execute(
            "select price_usd from marts.fct_daily where token_id = 'bitcoin' and market_date = ?", [day]
        ).fetchone()[0]
        for day in (dt.date(2023, 2, 28), UNTIL - dt.timedelta(days=1))
    )
    total = value(connection, index_id="plain", basis="gross", benchmark=None, metric="total_return")
    assert total == pytest.approx(end / start - 1)
    for benchmark in ("bitcoin", "total_market"):
        error = value(connection, index_id="plain", basis="gross", benchmark=benchmark, metric="tracking_error")
        assert error == pytest.approx(0.0, abs=1e-9)


def test_the_twin_is_a_benchmark_and_costs_lower_what_is_left(connection):
    write_backtests(connection, [definition("tilted", twin="plain"), definition("plain")], until=UNTIL)

    benchmarks = connection.execute(
        "select distinct benchmark from indices.statistics where index_id = 'tilted' and benchmark is not null order by 1"
    ).fetchall()
    gross, net = (
        value(connection, index_id="tilted", basis=basis, benchmark=None, metric="total_return")
        for basis in ("gross", "net_10k")
    )

    assert benchmarks == [("bitcoin",), ("ethereum",), ("plain",), ("total_market",)]
    assert net < gross
    assert connection.execute("select distinct capital_usd from indices.net_levels order by 1").fetchall() == [
        (1e4,),
        (1e5,),
        (1e6,),
        (1e7,),
    ]


def test_an_index_may_assume_its_own_costs_and_others_keep_theirs(connection):
    def net(*definitions):
        write_backtests(connection, definitions, until=UNTIL)
        rows = connection.execute(
            "select index_id, capital_usd, level_net, cost_paid from indices.net_levels where date = ? order by 1, 2",
            [UNTIL - dt.timedelta(days=1)],
        ).fetchall()
        return {(index_id, capital): (level, paid) for index_id, capital, level, paid in rows}

    plain, tilted = definition("plain"), definition("tilted")
    before = net(plain, tilted)
    dear = net(plain, definition("tilted", costs={"venue_fee": 0.02, "max_volume_share": 0.01}))

    assert {key: value for key, value in dear.items() if key[0] == "plain"} == {
        key: value for key, value in before.items() if key[0] == "plain"
    }
    # One purchase of the whole capital: it costs 1.9 % more of what is bought, which the costs themselves make less.
    ratio = dear["tilted", 1e4][0] / before["tilted", 1e4][0]
    assert ratio == pytest.approx(1.0013 / 1.0203, abs=5e-4)
    held = connection.execute(
        "select index_id, count(*) from indices.paper_portfolios group by 1 order by 1"
    ).fetchall()
    assert [name for name, _ in held] == ["plain", "tilted"]


def test_an_index_that_is_defined_no_more_has_no_figures_and_a_second_time_changes_nothing(connection):
    definitions = [definition("tilted"), definition("plain")]
    write_backtests(connection, definitions, until=UNTIL)
    before = connection.execute("select * from indices.statistics order by all").fetchall()

    write_backtests(connection, definitions, until=UNTIL)

    assert connection.execute("select * from indices.statistics order by all").fetchall() == before
    assert {row[0] for row in before} == {"tilted", "plain"}


def test_closes_from_as_of_on_are_not_looked_at(connection):
    early = dt.date(2024, 1, 1)
    write_backtests(connection, [definition("plain")], until=early)
    before = connection.execute("select * from indices.statistics order by all").fetchall()

    connection.execute("update marts.fct_daily set price_usd = 7 where market_date >= ?", [early])
    connection.execute("update marts.fct_market_daily set market_index_level = 7 where market_date >= ?", [early])
    write_backtests(connection, [definition("plain")], until=early)

    assert connection.execute("select * from indices.statistics order by all").fetchall() == before


def paid_at_the_start(connection):
    """What the first purchase with 10,000 USD cost, a fraction of it."""
    write_backtests(connection, [definition("tilted")], until=UNTIL)
    return connection.execute(
        "select cost_paid from indices.net_levels where index_id = 'tilted' and capital_usd = 10000 order by date limit 1"
    ).fetchone()[0]


def test_the_first_purchase_pays_what_ranges_tell_of_the_spread_and_what_a_book_quotes_before_it(connection):
    connection.execute("update marts.fct_daily set trusted_volume_24h_usd = 4e7")
    at_the_floor = paid_at_the_start(connection)

    # Bid and ask 6 % apart around a price that stands still from day to day: half of it is paid instead of the floor's 0.2 %.
    connection.execute(
        "insert into marts.fct_ranges_daily select token_id, market_date, 103, 97 from marts.fct_daily where token_id = 'dot'"
    )
    by_ranges = paid_at_the_start(connection)
    connection.execute("insert into marts.fct_liquidity_daily values ('dot', date '2023-02-27', 0.002)")
    by_quote = paid_at_the_start(connection)

    # Purchases shrink so that they and their costs are what there is, so a little less than the difference is paid.
    assert by_ranges - at_the_floor == pytest.approx(0.03 - 0.002, rel=0.05)
    assert at_the_floor - by_quote == pytest.approx(0.002 - 0.001, rel=0.05)


def test_without_rebalances_both_tables_are_empty(connection):
    connection.execute("delete from indices.rebalances_current")

    write_backtests(connection, [definition("plain")], until=UNTIL)

    assert connection.execute("select count(*) from indices.statistics").fetchone() == (0,)
    assert connection.execute("select count(*) from indices.net_levels").fetchone() == (0,)


def test_the_paper_portfolio_is_worth_what_the_net_level_says(connection):
    write_backtests(connection, [definition("plain"), definition("tilted")], until=UNTIL)

    rows = connection.execute(
        """
        select held.as_of_week, held.index_id, sum(held.value_usd) as value_usd,
            any_value(levels.level_net * (1 - levels.cost_paid)) / 100 * 10000 as worth_usd
        from indices.paper_portfolios as held
        inner join indices.net_levels as levels
            on held.index_id = levels.index_id and held.as_of_week = levels.date + 1 and levels.capital_usd = 10000
        group by all order by all
        """
    ).pl()

    assert rows["as_of_week"].min() == dt.date(2023, 3, 6)  # bought at the close of Tuesday, 2023-02-28
    assert rows["as_of_week"].max() == UNTIL - dt.timedelta(days=UNTIL.weekday())
    assert set(rows["index_id"]) == {"plain", "tilted"}
    assert rows["value_usd"].to_list() == pytest.approx(rows["worth_usd"].to_list())


def test_a_paper_portfolio_of_an_index_that_is_defined_no_more_ends(connection):
    write_backtests(connection, [definition("plain"), definition("tilted")], until=UNTIL)

    write_backtests(connection, [definition("plain")], until=UNTIL)

    assert connection.execute("select distinct index_id from indices.paper_portfolios").fetchall() == [("plain",)]
