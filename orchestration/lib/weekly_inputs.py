"""Reads the marts in the shapes that models, indices and screens take.

Belongs here: queries over `marts`, one function a shape, with the week arithmetic (close of Sunday = market_date before the Monday).
Does not: what is done with the frames (`models_ml`), writing (`versions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.features.catalogue import MODEL_INPUT_NAMES
from models_ml.learning.dataset import MARKET_COLUMNS

MARKET_SELECT = """
    select
        market_date + 1 as as_of_week,
        * exclude (market_date),
        (btc_price_usd / btc_sma_100d_usd - 1)::float as btc_to_sma_100d,
        (btc_price_usd / btc_sma_200d_usd - 1)::float as btc_to_sma_200d
    from marts.feat_market_daily
    where isodow(market_date) = 7
"""


def token_of_day(rows: str) -> str:
    """SQL of a join: `marts.dim_tokens` as `tokens`, each as it was on the market_date of `rows`; the newest name would leak back."""
    return (
        f"marts.dim_tokens as tokens on {rows}.token_id = tokens.token_id and {rows}.market_date >= tokens.valid_from "
        f"and (tokens.valid_to is null or {rows}.market_date < tokens.valid_to)"
    )


def weekly_features(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """Features of the broad universe at the close before each Monday.

    Returns:
        One row a week and eligible token, by week and token: as_of_week, token_id, symbol, is_liquid, volume_30d_median_usd and
        the other model inputs of the catalogue, coverage, and the market columns of the week.
    """
    features = ", ".join(f"features.{name}" for name in MODEL_INPUT_NAMES)
    market = ", ".join(f"market.{name}" for name in MARKET_COLUMNS)
    return connection.execute(
        f"""
        select
            features.market_date + 1 as as_of_week, features.token_id, tokens.symbol, universe.is_liquid,
            {features}, features.coverage, {market}
        from marts.feat_token_daily as features
        inner join marts.fct_universe_daily as universe
            on features.token_id = universe.token_id and features.market_date = universe.market_date
        inner join {token_of_day("features")}
        left join ({MARKET_SELECT}) as market on features.market_date + 1 = market.as_of_week
        where universe.is_broad and isodow(features.market_date) = 7 and features.market_date < ?
        order by as_of_week, features.token_id
        """,
        [until],
    ).pl()


def weekly_market(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """State of the market at the close before each Monday up to `until`: as_of_week and the columns of feat_market_daily."""
    return connection.execute(
        f"select * from ({MARKET_SELECT}) where as_of_week <= ? order by as_of_week", [until]
    ).pl()


def daily_closes(
    connection: duckdb.DuckDBPyConnection, *, until: date, tokens: Sequence[str] | None = None
) -> pl.DataFrame:
    """Closes known at Monday 00:00 of `until`: token_id, market_date, price_usd, is_carried, by token and day."""
    chosen = "" if tokens is None else "and token_id in (select unnest(?))"
    parameters: list[object] = [until] if tokens is None else [until, list(tokens)]
    return connection.execute(
        f"""
        select token_id, market_date, price_usd, is_carried from marts.fct_daily
        where market_date < ? {chosen} order by token_id, market_date
        """,
        parameters,
    ).pl()


def last_close(week: date) -> date:
    """market_date of the newest close a week may use: the Sunday before its Monday."""
    return week - timedelta(days=1)
