"""The moonshot screen for the weeks of a build.

Belongs here: the snapshot of a week from the marts, the screen, the versions it becomes.
Does not: the checklist and the score (`models_ml.screens`), Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import polars as pl

from models_ml.screens.moonshots import SNAPSHOT_SCHEMA, MoonshotSettings, screen_moonshots
from orchestration.lib.run_context import RunContext
from orchestration.lib.versioned_tables import MOONSHOTS, TRADER_GRADES
from orchestration.lib.versions import Appended
from orchestration.lib.weekly_inputs import token_of_day
from orchestration.lib.weekly_versions import append_weeks, weeks_behind

NEW_LISTING_BLIND_DAYS = 30
"""In the first days of an exchange's history every token looks newly listed; until they are over the item is unknown."""


def week_snapshot(connection: duckdb.DuckDBPyConnection, week: date) -> pl.DataFrame:
    """One row a token with a known market cap at the close before Monday `week`, as the screen takes it.

    Token columns are those of the marts; grades and calls are the current versions of the week; `sector_return_30d_rank` is the
    percentile (0-1) of the sector's median 30-day return among the sectors; an exchange is known from 30 days after its first
    candle on, and `exchange_listed_at` is null before.
    """
    return (
        connection.execute(
            f"""
        with exchanges as (
            select exchange, min(listed_date) as since from marts.fct_listings group by exchange
        ),
        listings as (
            select listings.token_id, min(listings.listed_date) as listed_date
            from marts.fct_listings as listings
            where listings.listed_date < $week group by listings.token_id
        ),
        rows_of_week as (
            select
                universe.token_id, tokens.symbol, tokens.sector, universe.is_stable, universe.is_wrapped, universe.price_usd,
                universe.market_cap_usd, daily.volume_24h_usd, universe.volume_30d_median_usd, universe.age_days,
                features.return_7d, features.return_30d, features.volume_surge_7d_30d, features.volatility_30d,
                features.active_addresses_growth_30d
            from marts.fct_universe_daily as universe
            inner join {token_of_day("universe")}
            inner join marts.fct_daily as daily on universe.token_id = daily.token_id and universe.market_date = daily.market_date
            inner join marts.feat_token_daily as features
                on universe.token_id = features.token_id and universe.market_date = features.market_date
            where universe.market_date = $close and universe.market_cap_usd is not null
        ),
        sectors as (
            select sector, percent_rank() over (order by median_return) as sector_return_30d_rank
            from (
                select sector, median(return_30d) as median_return from rows_of_week
                where sector is not null and sector not in ('Stable', 'Security token') and market_cap_usd > 5e6
                group by sector having count(return_30d) >= 3
            )
        ),
        calls as (
            select token_id, sum((signal = 1)::int) as bullish_signals_4w
            from learning.trading_signals_current
            where as_of_week > $week - 28 and as_of_week <= $week group by token_id
        ),
        followed as (
            select count(*) > 0 as has_exchange_data from exchanges where since <= $week - $blind
        )
        select
            rows_of_week.*,
            grades.trader_grade, grades.score,
            case signals.signal when 1 then 'bullish' when 0 then 'neutral' when -1 then 'bearish' end as signal,
            signals.p_bullish,
            sectors.sector_return_30d_rank,
            case when followed.has_exchange_data then listings.listed_date end as exchange_listed_at,
            followed.has_exchange_data,
            calls.bullish_signals_4w
        from rows_of_week
        cross join followed
        left join listings on rows_of_week.token_id = listings.token_id
        left join sectors on rows_of_week.sector = sectors.sector
        left join calls on rows_of_week.token_id = calls.token_id
        left join learning.trader_grades_current as grades
            on rows_of_week.token_id = grades.token_id and grades.as_of_week = $week
        left join learning.trading_signals_current as signals
            on rows_of_week.token_id = signals.token_id and signals.as_of_week = $week
        order by rows_of_week.token_id
        """,
            {"week": week, "close": week - timedelta(days=1), "blind": NEW_LISTING_BLIND_DAYS},
        )
        .pl()
        .select(pl.col(name).cast(dtype) for name, dtype in SNAPSHOT_SCHEMA.items())
    )


def build_moonshots(
    connection: duckdb.DuckDBPyConnection,
    context: RunContext,
    settings: MoonshotSettings,
    *,
    weeks: Sequence[date] | None = None,
) -> Appended:
    """Picks of the weeks a build has to compute, as versions of `screens.moonshots`; a week without picks is a unit too."""
    if weeks is None:
        weeks = weeks_behind(connection, context, MOONSHOTS, TRADER_GRADES)
    if not weeks:
        return Appended.nothing(MOONSHOTS)
    picks = [
        screen_moonshots(week_snapshot(connection, week), as_of_week=week, settings=settings).with_columns(
            as_of_week=pl.lit(week)
        )
        for week in weeks
    ]
    return append_weeks(connection, MOONSHOTS, pl.concat(picks), weeks, context)
