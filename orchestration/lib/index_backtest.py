"""What each index would have been worth after costs, and its figures beside bitcoin, ether, the market and its passive twin.

Belongs here: reading recorded rebalances and closes, the benchmarks, and the tables that are written anew every week.
Does not: formulas and the walk through trades (`models_ml.backtest`), compositions and levels (`index_weeks.py`).

All follow wholly from the recorded rebalances and today's closes, so they are no versions: what was recorded is the
rebalances. The gross series is recomputed here without the gaps of weeks in which an index was unavailable.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.backtest.costs import TradingCosts
from models_ml.backtest.net_levels import TradingRules, gross_levels, net_levels
from models_ml.backtest.paper_portfolio import WeeklyHoldings
from models_ml.backtest.statistics import summarise_levels
from models_ml.indices.definition import IndexDefinition
from models_ml.indices.sections import Costs
from orchestration.lib import index_prospects
from orchestration.lib.written_anew import write_anew

CREATE_TABLES = (
    """create table if not exists indices.net_levels
    (date date, index_id varchar, capital_usd double, level_net double, cost_paid double, turnover double,
    carried_weight double, cash_weight double)""",
    """create table if not exists indices.statistics
    (index_id varchar, basis varchar, benchmark varchar, metric varchar, value double, low double, high double,
    first_date date, last_date date)""",
    """create table if not exists indices.paper_portfolios
    (as_of_week date, index_id varchar, token_id varchar, units double, price_usd double, value_usd double,
    weight double, cost_basis_usd double, unrealised_return double)""",
    *index_prospects.CREATE_TABLES,
)
SMALL_CAPITAL_USD = 1e4
"""Capital whose net levels the figures after costs are of, and with which the paper portfolios begin."""

LOOK_BACK = timedelta(days=120)
"""Days before the first rebalance that costs are estimated from."""

BENCHMARKS = ("bitcoin", "ethereum", "total_market")


def create_backtest_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, which the api views need before the first index is computed."""
    for statement in CREATE_TABLES:
        connection.execute(statement)


def write_backtests(
    connection: duckdb.DuckDBPyConnection, definitions: Sequence[IndexDefinition], *, until: date
) -> None:
    """Write the tables anew.

    Args:
        connection: The warehouse with the recorded rebalances and the tables (`create_backtest_tables`).
        definitions: The indices in force; others that were recorded once have no figures.
        until: As of: closes before it are used.
    """
    ids = [definition.index_id for definition in definitions]
    rebalances = connection.execute(
        "select index_id, effective_at, token_id, target_weight from indices.rebalances_current "
        "where index_id in (select unnest(?::varchar[])) and effective_at::date <= ? order by all",
        [ids, until],
    ).pl()
    connection.execute("delete from indices.net_levels")
    connection.execute("delete from indices.statistics")
    connection.execute("delete from indices.paper_portfolios")
    index_prospects.clear_prospects(connection)
    if rebalances.is_empty():
        return
    daily = traded_closes(connection, rebalances, until=until)
    base_levels = {definition.index_id: definition.base.level for definition in definitions}
    last = until - timedelta(days=1)
    gross = gross_levels(rebalances, daily, base_level=base_levels, last_date=last)
    net, held = _after_costs(rebalances, daily, definitions, last=last)
    small = net.filter(pl.col("capital_usd") == SMALL_CAPITAL_USD)
    others = _benchmark_levels(connection, until)
    known = set(others["index_id"].unique())
    small_levels = small.select("date", "index_id", level="level_net")
    figures = [
        _figures(levels, small, others, definitions, known).with_columns(basis=pl.lit(basis))
        for basis, levels in (("gross", gross), ("net_10k", small_levels))
    ]
    write_anew(connection, "indices.net_levels", net)
    write_anew(connection, "indices.paper_portfolios", held)
    write_anew(connection, "indices.statistics", pl.concat(figures))
    index_prospects.write_prospects(
        connection,
        definitions,
        net=net,
        levels=pl.concat([small_levels, others.select(small_levels.columns)]),
        benchmarks=_benchmarks(definitions, known, present=set(small_levels["index_id"].unique())),
    )


def _after_costs(
    rebalances: pl.DataFrame, daily: pl.DataFrame, definitions: Sequence[IndexDefinition], *, last: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Net levels and weekly holdings of all indices; those that assume the same costs walk together."""
    together: dict[Costs, dict[str, float]] = {}
    for definition in definitions:
        together.setdefault(definition.costs, {})[definition.index_id] = definition.base.level
    net, held = [], []
    for costs, base_levels in together.items():
        own = rebalances.filter(pl.col("index_id").is_in(list(base_levels)))
        if own.is_empty():
            continue
        holdings = WeeklyHoldings(capital_usd=SMALL_CAPITAL_USD)
        net.append(
            net_levels(
                own,
                daily,
                costs=TradingCosts(venue_fee=costs.venue_fee),
                rules=TradingRules(share_of_volume=costs.max_volume_share),
                base_level=base_levels,
                last_date=last,
                holdings=holdings,
            )
        )
        held.append(holdings.frame())
    return pl.concat(net), pl.concat(held)


def traded_closes(connection: duckdb.DuckDBPyConnection, rebalances: pl.DataFrame, *, until: date) -> pl.DataFrame:
    """What costs rest on, of the tokens of some rebalances before `until`: closes, volumes, ranges, quoted spreads (`cost_inputs`).

    One row a token and day, from the first that costs of the first rebalance are estimated from.
    """
    first: date = rebalances.select(pl.col("effective_at").dt.date().min()).item()
    return connection.execute(
        """
        select
            daily.market_date, daily.token_id, daily.price_usd, daily.trusted_volume_24h_usd,
            ranges.high_usd, ranges.low_usd, liquidity.bid_ask_spread
        from marts.fct_daily as daily
        left join marts.fct_ranges_daily as ranges
            on daily.token_id = ranges.token_id and daily.market_date = ranges.market_date
        left join marts.fct_liquidity_daily as liquidity
            on daily.token_id = liquidity.token_id and daily.market_date = liquidity.market_date
        where not daily.is_carried and daily.market_date < ? and daily.market_date >= ? and daily.token_id in (select unnest(?))
        """,
        [until, first - LOOK_BACK, rebalances["token_id"].unique().to_list()],
    ).pl()


def _figures(
    levels: pl.DataFrame,
    small: pl.DataFrame,
    others: pl.DataFrame,
    definitions: Sequence[IndexDefinition],
    known: set[str],
) -> pl.DataFrame:
    benchmarks = _benchmarks(definitions, known, present=set(levels["index_id"].unique()))
    return summarise_levels(
        pl.concat([levels, others.select(levels.columns)]),
        benchmarks,
        turnover=small.select("date", "index_id", "turnover"),
    )


def _benchmarks(definitions: Sequence[IndexDefinition], known: set[str], *, present: set[str]) -> dict[str, list[str]]:
    """What each index that has levels is set against: those of `BENCHMARKS` that are known, and its twin."""
    return {
        definition.index_id: [
            *(name for name in BENCHMARKS if name in known),
            *([definition.twin] if definition.twin is not None and definition.twin in present else []),
        ]
        for definition in definitions
        if definition.index_id in present
    }


def _benchmark_levels(connection: duckdb.DuckDBPyConnection, until: date) -> pl.DataFrame:
    """Bitcoin, ether and the total market as levels: date, index_id, level; a day without a close has the one before."""
    rows = connection.execute(
        """
        select market_date as date, token_id as index_id, price_usd as level from marts.fct_daily
        where token_id in ('bitcoin', 'ethereum') and market_date < $until and price_usd > 0
        union all
        select market_date, 'total_market', market_index_level from marts.fct_market_daily
        where market_date < $until and market_index_level > 0
        """,
        {"until": until},
    ).pl()
    filled = [
        part.sort("date").upsample("date", every="1d").with_columns(pl.col("index_id", "level").forward_fill())
        for part in rows.partition_by("index_id", maintain_order=True)
    ]
    return pl.concat(filled) if filled else rows
