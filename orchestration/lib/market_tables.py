"""The state of the market by day: bull-bear indicator, call, record, regime, grades at a glance; written anew by every run.

Belongs here: reading what the formulas take, the tables they become. Does not: formulas (`models_ml.market`), what follows from prices
alone (marts `fct_market_breadth_daily`, `fct_sector_rotation_daily`), Dagster.

The tables follow from the current versions of the daily calls and grades and from the marts. A correction of a close of the past may
change the days after it, as with every mart; what was said of a token then stays in the versioned tables.
"""

from __future__ import annotations

import duckdb
import polars as pl

from models_ml.market.extremes import with_extremes
from models_ml.market.regime import all_days, market_regimes
from models_ml.market.signal import call_record, market_calls
from orchestration.lib.versioned_tables import DAILY_GRADES, DAILY_SIGNALS
from orchestration.lib.written_anew import write_anew

SCHEMA = "market"

HIGH_GRADE = 80
"""Trader Grade from which a token counts as highly graded."""

NEW_DAYS = 180
"""Days after its first price that a token counts as new; it is graded from day 61 on at the earliest."""

TABLES = {
    "bull_bear": """market_date date, tokens integer, bullish_share double, bearish_share double, bullish_cap_share double,
        bearish_cap_share double, bullish_share_highest_since_date date, bullish_share_lowest_since_date date,
        bullish_cap_share_highest_since_date date, bullish_cap_share_lowest_since_date date,
        bearish_share_highest_since_date date, bearish_share_lowest_since_date date""",
    "signal": "market_date date, net_share_7d double, net_share_place double, signal tinyint, flipped_date date",
    "calls": """flipped_date date, signal tinyint, previous_signal tinyint, ended_date date, days integer,
        market_cap_at_flip_usd double, return_from_flip double, return_after_entry double, best_excursion double,
        worst_excursion double, is_hit boolean, base_hit_rate double, past_calls integer, past_hits integer""",
    "regime": """market_date date, refit_date date, p_bull double, p_turbulent double, trend varchar, volatility varchar,
        regime varchar, regime_probability double, trend_since_date date, volatility_since_date date, regime_since_date date""",
    "regime_models": """refit_date date, chain varchar, low_state varchar, high_state varchar, low_parameter double,
        high_parameter double, scale double, duration_days double, effective_models double, training_days integer""",
    "grades": """market_date date, graded_tokens integer, median_trader_grade double, high_grade_share double,
        new_graded_tokens integer, new_high_grade_share double""",
}
"""Tables by name with their columns."""


def create_market_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables, which the api views need before the first call."""
    connection.execute(f"create schema if not exists {SCHEMA}")
    for name, columns in TABLES.items():
        connection.execute(f"create table if not exists {SCHEMA}.{name} ({columns})")


def write_market_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Write all tables anew, from the daily calls and grades as they are recorded and from the marts.

    Returns:
        Rows by table.
    """
    shares = bull_bear_days(connection)
    calls = market_calls(shares)
    market = market_days(connection)
    regimes = market_regimes(market["market_date"].to_list(), market["log_return"].fill_null(float("nan")).to_numpy())
    content = {
        "bull_bear": with_extremes(shares, ("bullish_share", "bullish_cap_share", "bearish_share")),
        "signal": calls,
        "calls": call_record(calls, market.drop_nulls("market_index_level")),
        "regime": regimes.days,
        "regime_models": regimes.models,
        "grades": grade_days(connection),
    }
    for name, rows in content.items():
        write_anew(connection, f"{SCHEMA}.{name}", rows)
    return {name: rows.height for name, rows in content.items()}


def bull_bear_days(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Share of bullish and bearish calls of each day, plain and by market cap.

    Returns:
        One row a day with calls, in order: market_date, tokens, bullish_share, bearish_share, bullish_cap_share, bearish_cap_share; the
        latter are shares of the caps of the called tokens.
    """
    return connection.execute(
        f"""
        select
            calls.market_date,
            count(*)::integer as tokens,
            avg((calls.signal = 1)::integer) as bullish_share,
            avg((calls.signal = -1)::integer) as bearish_share,
            coalesce(sum(universe.market_cap_usd) filter (where calls.signal = 1), 0) / sum(universe.market_cap_usd) as bullish_cap_share,
            coalesce(sum(universe.market_cap_usd) filter (where calls.signal = -1), 0) / sum(universe.market_cap_usd) as bearish_cap_share
        from {DAILY_SIGNALS.current_view_sql_name} as calls
        left join marts.fct_universe_daily as universe
            on calls.token_id = universe.token_id and calls.market_date = universe.market_date
        group by calls.market_date
        order by calls.market_date
        """
    ).pl()


def market_days(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The market's return, level and cap on every day from the first to the last, days without a row included.

    Returns:
        market_date, log_return (of the broad universe by cap; before it had five tokens, bitcoin's, which then was nearly all of the
        market), market_index_level, market_cap_usd; null where unknown.
    """
    rows = connection.execute(
        """
        select
            market.market_date,
            ln(1 + coalesce(market.market_return_1d, bitcoin.return_1d)) as log_return,
            market.market_index_level,
            market.market_cap_usd
        from marts.fct_market_daily as market
        left join intermediate.int_market_members as bitcoin
            on bitcoin.token_id = 'bitcoin' and market.market_date = bitcoin.market_date
        order by market.market_date
        """
    ).pl()
    if rows.is_empty():
        return rows
    days = pl.DataFrame({"market_date": all_days(rows["market_date"][0], rows["market_date"][-1])})
    return days.join(rows, on="market_date", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("log_return").is_finite()).then(pl.col("log_return")).alias("log_return")
    )


def grade_days(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Grades of each day at a glance, and those of the tokens listed in the half year before.

    Returns:
        One row a day with grades: market_date, graded_tokens, median_trader_grade, high_grade_share (from 80 on), new_graded_tokens and
        new_high_grade_share (null without a new one). A token that came with a source, among many others, is not new.
    """
    return connection.execute(
        f"""
        with grades as (
            select
                grades.market_date,
                grades.trader_grade,
                coalesce(grades.market_date - listings.market_date <= $new, false) as is_new
            from {DAILY_GRADES.current_view_sql_name} as grades
            left join marts.fct_token_events_daily as listings
                on grades.token_id = listings.token_id and listings.event = 'listed' and not listings.is_coverage_break
            where grades.trader_grade is not null
        )
        select
            market_date,
            count(*)::integer as graded_tokens,
            median(trader_grade) as median_trader_grade,
            avg((trader_grade >= $high)::integer) as high_grade_share,
            (count(*) filter (where is_new))::integer as new_graded_tokens,
            avg((trader_grade >= $high)::integer) filter (where is_new) as new_high_grade_share
        from grades
        group by market_date
        order by market_date
        """,
        {"high": HIGH_GRADE, "new": NEW_DAYS},
    ).pl()


def newest_state(connection: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """What the UI says of the newest day: regime, call and shares; empty before the first."""
    row = connection.execute(
        f"""
        select bull_bear.*, regime.regime, regime.regime_probability, signal.signal, signal.flipped_date
        from {SCHEMA}.bull_bear as bull_bear
        left join {SCHEMA}.regime as regime using (market_date)
        left join {SCHEMA}.signal as signal using (market_date)
        order by market_date desc limit 1
        """
    ).pl()
    return row.row(0, named=True) if row.height else {}
