"""Reads the marts in the shapes that models, indices and screens take.

Belongs here: queries over `marts`, one function a shape, with the week arithmetic (close of Sunday = market_date before the Monday).
Does not: what is done with the frames (`models_ml`), writing (`versions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.features.catalogue import FEATURE_NAMES
from models_ml.learning.dataset import MARKET_COLUMNS, READ_FEATURES

MARKET_OF_DAY = """
    select
        *,
        (btc_price_usd / btc_sma_100d_usd - 1)::float as btc_to_sma_100d,
        (btc_price_usd / btc_sma_200d_usd - 1)::float as btc_to_sma_200d
    from marts.feat_market_daily
"""


SUNDAYS_OF = "features.market_date in (select unnest(?::date[]))"


def token_of_day(rows: str) -> str:
    """SQL of a join: `marts.dim_tokens` as `tokens`, each as it was on the market_date of `rows`; the newest name would leak back."""
    return (
        f"marts.dim_tokens as tokens on {rows}.token_id = tokens.token_id and {rows}.market_date >= tokens.valid_from "
        f"and (tokens.valid_to is null or {rows}.market_date < tokens.valid_to)"
    )


def newest_readings(
    connection: duckdb.DuckDBPyConnection, weeks: Sequence[date], *, mart: str, columns: str, days: int
) -> pl.DataFrame:
    """The newest row of a sparse mart by token and week: of the days before the Monday, and known by its 00:00.

    Args:
        connection: Warehouse with the marts.
        weeks: Mondays.
        mart: Table of `marts` with token_id, market_date and available_at.
        columns: SQL of what to read of it as `facts`.
        days: How old a row may be, in days before the Monday.

    Returns:
        as_of_week, token_id and the columns; a week and token without such a row is not there.
    """
    return connection.execute(
        f"""
        select weeks.as_of_week, facts.token_id, {columns}
        from (select unnest($weeks::date[]) as as_of_week) as weeks
        inner join marts.{mart} as facts
            on
                facts.market_date < weeks.as_of_week and facts.market_date >= weeks.as_of_week - {days}
                and facts.available_at <= timezone('UTC', weeks.as_of_week::timestamp)
        qualify row_number() over (partition by weeks.as_of_week, facts.token_id order by facts.market_date desc) = 1
        """,
        {"weeks": list(weeks)},
    ).pl()


def weekly_features(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """Features of the broad universe at the close before each Monday up to `until`: `daily_features` of the Sundays."""
    return _features(connection, "isodow(features.market_date) = 7 and features.market_date < ?", [until])


def daily_features(connection: duckdb.DuckDBPyConnection, *, first: date, last: date) -> pl.DataFrame:
    """Features of the broad universe at the closes of `first` to `last`.

    Returns:
        One row a day and eligible token, by day and token: as_of_week (the Monday after the day), market_date, token_id, symbol,
        is_liquid, the features that the models' columns are made of, coverage, and the market columns of the day.
    """
    return _features(connection, "features.market_date between ? and ?", [first, last])


def closing_features(connection: duckdb.DuckDBPyConnection, *, first: date, last: date) -> pl.DataFrame:
    """As `daily_features`, for the Sundays before the Mondays from `first` to `last`."""
    return _features(
        connection,
        "isodow(features.market_date) = 7 and features.market_date between ? and ?",
        [last_close(first), last_close(last)],
    )


def features_of_weeks(connection: duckdb.DuckDBPyConnection, weeks: Sequence[date]) -> pl.DataFrame:
    """As `daily_features`, for the Sundays before each of the weeks' Mondays."""
    return _features(connection, SUNDAYS_OF, [[last_close(week) for week in weeks]])


def catalogue_features(connection: duckdb.DuckDBPyConnection, *, weeks: Sequence[date]) -> pl.DataFrame:
    """Every feature of the catalogue at the close before each of the weeks' Mondays: as `daily_features`, for the Sundays."""
    return _features(connection, SUNDAYS_OF, [[last_close(week) for week in weeks]], names=FEATURE_NAMES)


def sectors_of_weeks(connection: duckdb.DuckDBPyConnection, weeks: Sequence[date]) -> pl.DataFrame:
    """Sectors of the broad universe as known at the close before each of the weeks' Mondays.

    Returns:
        as_of_week, token_id, sector (null where the token has none); undated lists count as known since ever, which is hindsight.
    """
    return connection.execute(
        f"""select universe.market_date + 1 as as_of_week, universe.token_id, tokens.sector
        from marts.fct_universe_daily as universe inner join {token_of_day("universe")}
        where universe.is_broad and universe.market_date in (select unnest(?::date[]))
        order by as_of_week, universe.token_id""",
        [[last_close(week) for week in weeks]],
    ).pl()


def _features(
    connection: duckdb.DuckDBPyConnection,
    days: str,
    parameters: Sequence[object],
    *,
    names: Sequence[str] = READ_FEATURES,
) -> pl.DataFrame:
    features = ", ".join(f"features.{name}" for name in names)
    market = ", ".join(f"market.{name}" for name in MARKET_COLUMNS)
    return connection.execute(
        f"""
        select
            (features.market_date + (8 - isodow(features.market_date))::integer) as as_of_week, features.market_date,
            features.token_id, tokens.symbol, universe.is_liquid, {features}, features.coverage, {market}
        from marts.feat_token_daily as features
        inner join marts.fct_universe_daily as universe
            on features.token_id = universe.token_id and features.market_date = universe.market_date
        inner join {token_of_day("features")}
        left join ({MARKET_OF_DAY}) as market on features.market_date = market.market_date
        where universe.is_broad and {days}
        order by features.market_date, features.token_id
        """,
        list(parameters),
    ).pl()


def daily_market(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """State of the market at each close before `until`: the columns of feat_market_daily, and bitcoin against its averages."""
    return connection.execute(
        f"select * from ({MARKET_OF_DAY}) where market_date < ? order by market_date", [until]
    ).pl()


def daily_closes(
    connection: duckdb.DuckDBPyConnection,
    *,
    until: date,
    tokens: Sequence[str] | None = None,
    since: date = date.min,
    rows_before: int = 1,
) -> pl.DataFrame:
    """Closes known at Monday 00:00 of `until`: token_id, market_date, price_usd, volume_24h_usd, is_carried, by token and day.

    Args:
        connection: The warehouse.
        until: A Monday.
        tokens: Only these; None for all.
        since: First day of which all rows come.
        rows_before: So many rows of each token before `since` come too, however long before; at least 1.
    """
    return connection.execute(
        """
        select token_id, market_date, price_usd, volume_24h_usd, is_carried
        from marts.fct_daily left join (
            select token_id, list_min(max(market_date, $rows)) as first_date
            from marts.fct_daily where market_date < $since group by token_id
        ) as reach using (token_id)
        where market_date < $until and market_date >= coalesce(reach.first_date, $since)
            and ($tokens::varchar[] is null or token_id in (select unnest($tokens::varchar[])))
        order by token_id, market_date
        """,
        {"until": until, "tokens": None if tokens is None else list(tokens), "since": since, "rows": rows_before},
    ).pl()


def last_close(week: date) -> date:
    """market_date of the newest close a week may use: the Sunday before its Monday."""
    return week - timedelta(days=1)
