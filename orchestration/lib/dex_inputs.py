"""Tokens that only pools of decentralised exchanges are known of, as the moonshot screen takes them.

Belongs here: their snapshots, closes and contracts, from the followed pools.
Does not: tokens of the market list (`screen_inputs.py`), warnings of pools (`filter_inputs.py`), the screen (`models_ml.screens`).

Their market cap is the fully diluted one (`models_ml.screens.universe`). No model has seen their like, so they have neither grade nor
chance; what sources of the market list would say is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.screens.moonshots import MoonshotSettings
from orchestration.lib.weekly_inputs import newest_readings
from orchestration.sources.geckoterminal import NETWORKS

READING_DAYS = 7
"""A reading of the pools that is older says nothing of the week."""

FEWEST_DAYS = 15
"""Half a window's days must be known for a median or a volatility."""


def dex_snapshots(
    connection: duckdb.DuckDBPyConnection, weeks: Sequence[date], settings: MoonshotSettings
) -> pl.DataFrame:
    """One row a week and token that pools alone are known of whose fully diluted cap lies within the settings' bounds.

    Args:
        connection: The warehouse.
        weeks: Mondays. A row rests on closes up to the Sunday before and on readings known at 00:00.
        settings: Of the screen: the bounds of the market cap.

    Returns:
        as_of_week, token_id, name and symbol (what its pool calls it), is_stable and is_wrapped (false: nobody says so), price_usd,
        priced_date, market_cap_usd (fully diluted), volume_24h_usd, volume_30d_median_usd, age_days (since its first pool that we saw),
        return_7d, return_30d, volatility_30d (per year), volume_surge_7d_30d, dex_listed_at, has_exchange_data, has_dex_data,
        data_source. By week and token.
    """
    readings = newest_readings(
        connection,
        weeks,
        mart="fct_pools_daily",
        columns="facts.symbol, facts.is_known_token, facts.fdv_usd, facts.first_created_at",
        days=READING_DAYS,
    )
    connection.register("readings", readings.to_arrow())
    try:
        return connection.execute(
            _SNAPSHOT, {"low": settings.min_market_cap_usd, "high": settings.max_market_cap_usd}
        ).pl()
    finally:
        connection.unregister("readings")


_SNAPSHOT = f"""
    with days as (
        select
            readings.as_of_week, dex.*,
            readings.as_of_week - 1 - dex.market_date as days_ago,
            ln(dex.price_usd / lag(dex.price_usd) over (
                partition by readings.as_of_week, dex.token_id order by dex.market_date
            )) as log_return
        from readings
        inner join marts.fct_dex_tokens_daily as dex
            on
                readings.token_id = dex.token_id
                and dex.market_date between readings.as_of_week - 31 and readings.as_of_week - 1
                and dex.available_at <= timezone('UTC', readings.as_of_week::timestamp)
        where not readings.is_known_token
    ),
    figures as (
        select
            as_of_week, token_id,
            max(price_usd) filter (where days_ago = 0) as price_usd,
            max(priced_date) filter (where days_ago = 0) as priced_date,
            max(volume_24h_usd) filter (where days_ago = 0) as volume_24h_usd,
            max(data_source) filter (where days_ago = 0) as data_source,
            max(price_usd) filter (where days_ago = 0) / max(price_usd) filter (where days_ago = 7) - 1 as return_7d,
            max(price_usd) filter (where days_ago = 0) / max(price_usd) filter (where days_ago = 30) - 1 as return_30d,
            case
                when count(volume_24h_usd) filter (where days_ago < 30) >= {FEWEST_DAYS}
                    then median(volume_24h_usd) filter (where days_ago < 30)
            end as volume_30d_median_usd,
            case
                when count(log_return) filter (where days_ago < 30) >= {FEWEST_DAYS}
                    then sqrt(365) * stddev_samp(log_return) filter (where days_ago < 30)
            end as volatility_30d,
            case
                when
                    count(*) filter (where days_ago < 30 and volume_24h_usd > 0) >= {FEWEST_DAYS}
                    and count(*) filter (where days_ago < 7 and volume_24h_usd > 0) >= 5
                    then exp(
                        avg(ln(nullif(volume_24h_usd, 0))) filter (where days_ago < 7)
                        - avg(ln(nullif(volume_24h_usd, 0))) filter (where days_ago < 30)
                    )
            end as volume_surge_7d_30d
        from days
        group by as_of_week, token_id
    )
    select
        figures.*,
        readings.symbol as name, readings.symbol, false as is_stable, false as is_wrapped,
        readings.fdv_usd as market_cap_usd,
        figures.as_of_week - 1 - readings.first_created_at::date as age_days,
        readings.first_created_at::date as dex_listed_at,
        false as has_exchange_data, true as has_dex_data
    from figures
    inner join readings on figures.as_of_week = readings.as_of_week and figures.token_id = readings.token_id
    where figures.price_usd is not null and readings.fdv_usd between $low and $high
    order by figures.as_of_week, figures.token_id
"""


def dex_closes(connection: duckdb.DuckDBPyConnection, *, until: date) -> pl.DataFrame:
    """Closes of tokens in followed pools known at Monday 00:00 of `until`, as `models_ml.screens.outcomes.follow` takes them."""
    return connection.execute(
        """select token_id, market_date, price_usd, volume_24h_usd, is_carried from marts.fct_dex_tokens_daily
        where market_date < ? order by token_id, market_date""",
        [until],
    ).pl()


def dex_contracts(connection: duckdb.DuckDBPyConnection, picks: pl.DataFrame) -> pl.DataFrame:
    """The contract of each picked token of this kind, as `links_of` gives links; chains by CoinGecko's name where it has one."""
    known = picks.select("as_of_week", "token_id")
    contracts = connection.execute(
        "select distinct token_id, network, contract_address from marts.fct_dex_tokens_daily"
    ).pl()
    platforms = {network: platform for platform, network in NETWORKS.items()}
    return known.join(contracts, on="token_id", how="inner").select(
        "as_of_week",
        "token_id",
        kind=pl.lit("contract"),
        platform=pl.col("network").replace(platforms),
        value=pl.col("contract_address"),
        is_hindsight=pl.lit(value=False),
    )
