"""What the moonshot screen looks at, for many weeks in one query.

Belongs here: snapshots of weeks from the marts and from the versioned tables of the week, ranges for stops, links of tokens.
Does not: the screen and its plan (`models_ml.screens`), the versions it becomes (`screen_weeks.py`).

A row of week W rests on closes up to the Sunday before and on facts of days up to it; sectors and links are undated and count as known
since ever, which the evidence and the research card say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import polars as pl

from models_ml.screens.checklist import OPTIONAL_INPUTS
from models_ml.screens.moonshots import SNAPSHOT_SCHEMA, MoonshotSettings
from models_ml.screens.plan import average_true_range
from orchestration.lib.versioned_tables import DAILY_GRADES, DAILY_SIGNALS, TRADER_GRADES, TRADING_SIGNALS
from orchestration.lib.weekly_inputs import token_of_day

NEW_LISTING_BLIND_DAYS = 30
"""In the first days of an exchange's history every token looks newly listed; until they are over its listings say nothing."""

FOLLOWED_WITHIN_DAYS = 7
"""An exchange whose newest candle is older is not followed any more: that it lists nothing new is no answer."""

HOLDERS_APART_DAYS = 28
"""Readings of holders that are compared lie at least so far apart, and at most `HOLDERS_CARRY_DAYS` more."""

HOLDERS_CARRY_DAYS = 35

RANGE_DAYS = 400
"""Days of candles behind an average range. Wilder's average forgets a day after 400 others to less than 1e-12 of it."""

MOMENTUM_RETURNS = ("return_7d", "return_30d", "return_90d")


def week_snapshots(
    connection: duckdb.DuckDBPyConnection, weeks: Sequence[date], settings: MoonshotSettings
) -> pl.DataFrame:
    """One row a week and token whose market cap at the close before the Monday lies within the settings' bounds, as the screen takes it.

    Token columns are those of the marts; grades and calls are the current versions of the week. `momentum_score` is api.daily_grades'
    (0-100: mean place of the returns of 7, 30 and 90 days among the graded tokens of the day); a token without a grade takes the place it
    would have among them. `exchange_listed_at` is the token's newest first candle on an exchange that had been read for 30 days by
    then; `has_exchange_data` says whether an exchange with a candle in the last week is that old. `dex_listed_at` is when the first
    pool that we saw of the token was made; an older one we did not see is possible.

    Args:
        connection: The warehouse.
        weeks: Mondays.
        settings: Of the screen: the bounds of the market cap.
    """
    connection.register("screened_weeks", pl.DataFrame({"as_of_week": list(weeks)}, schema={"as_of_week": pl.Date}))
    try:
        rows = connection.execute(
            _SNAPSHOT, {"low": settings.min_market_cap_usd, "high": settings.max_market_cap_usd}
        ).pl()
    finally:
        connection.unregister("screened_weeks")
    schema = SNAPSHOT_SCHEMA | OPTIONAL_INPUTS
    return rows.select(
        *(pl.col(name).cast(dtype) for name, dtype in schema.items()),
        pl.col("name", "data_source"),
        pl.col("average_move_14d").cast(pl.Float64),
    )


def _momentum(day: str) -> str:
    """CTEs of places among the graded tokens of the closes that lie `day` days before the weeks' own."""
    lower = ", ".join(
        f"""coalesce(sum(is_graded::int) over (
            partition by as_of_week order by {name} range between unbounded preceding and current row exclude group
        ), 0) as {name}_lower"""
        for name in MOMENTUM_RETURNS
    )
    places = " + ".join(f"{name}_lower" for name in MOMENTUM_RETURNS)
    return f"""
        select
            as_of_week, token_id,
            -- Among n graded tokens the places of a graded one lie among the n - 1 others, as percent_rank counts them.
            100.0 * ({places}) / 3 / nullif(sum(is_graded::int) over (partition by as_of_week) - is_graded::int, 0) as momentum_score
        from (
            select *, {lower} from (
                select
                    weeks.as_of_week, features.token_id, features.return_7d, features.return_30d, features.return_90d,
                    grades.token_id is not null as is_graded
                from screened_weeks as weeks
                inner join marts.feat_token_daily as features on features.market_date = weeks.as_of_week - 1 - {day}
                left join {DAILY_GRADES.current_view_sql_name} as grades
                    on features.token_id = grades.token_id and features.market_date = grades.market_date
                where
                    features.return_7d is not null and features.return_30d is not null and features.return_90d is not null
                    and (grades.token_id is not null or features.token_id in (select token_id from rows_of_weeks))
            )
        )
    """


_SNAPSHOT = f"""
    with rows_of_weeks as (
        select
            weeks.as_of_week, universe.market_date, universe.token_id, tokens.name, tokens.symbol, tokens.sector, universe.is_stable,
            universe.is_wrapped, universe.price_usd, daily.priced_date, universe.market_cap_usd, daily.volume_24h_usd, daily.data_source,
            universe.volume_30d_median_usd, universe.age_days
        from screened_weeks as weeks
        inner join marts.fct_universe_daily as universe on universe.market_date = weeks.as_of_week - 1
        inner join {token_of_day("universe")}
        inner join marts.fct_daily as daily
            on universe.token_id = daily.token_id and universe.market_date = daily.market_date
        where universe.market_cap_usd between $low and $high
    ),
    momentum as ({_momentum("0")}),
    momentum_before as ({_momentum("7")}),
    calls as (
        select as_of_week, token_id, sum((signal = 1)::int) as bullish_closes_7d, max(market_date) as calls_date
        from {DAILY_SIGNALS.current_view_sql_name}
        where as_of_week in (select as_of_week from screened_weeks)
        group by as_of_week, token_id
    ),
    exchanges as (
        select exchange, min(listed_date) as since from marts.fct_listings group by exchange
    ),
    days_of_exchanges as (
        select distinct source as exchange, market_date from intermediate.int_closes_resolved
        where source in (select exchange from exchanges)
    ),
    followed as (
        select weeks.as_of_week, true as has_exchange_data
        from screened_weeks as weeks
        inner join exchanges on exchanges.since <= weeks.as_of_week - {NEW_LISTING_BLIND_DAYS}
        inner join days_of_exchanges as days
            on
                exchanges.exchange = days.exchange
                and days.market_date between weeks.as_of_week - {FOLLOWED_WITHIN_DAYS} and weeks.as_of_week - 1
        group by weeks.as_of_week
    ),
    listings as (
        select weeks.as_of_week, listings.token_id, max(listings.listed_date) as exchange_listed_at
        from screened_weeks as weeks
        inner join marts.fct_listings as listings on listings.listed_date < weeks.as_of_week
        inner join exchanges
            on listings.exchange = exchanges.exchange and listings.listed_date >= exchanges.since + {NEW_LISTING_BLIND_DAYS}
        group by weeks.as_of_week, listings.token_id
    ),
    pools as (
        -- Only new and trending pools are read, so a token without one may well have some: unknown, and not unlisted.
        select weeks.as_of_week, pools.token_id, min(pools.first_created_at)::date as dex_listed_at
        from screened_weeks as weeks
        inner join marts.fct_pools_daily as pools
            on pools.market_date < weeks.as_of_week and pools.first_created_at::date < weeks.as_of_week
        where pools.is_known_token
        group by weeks.as_of_week, pools.token_id
    ),
    onchain as (
        select token_id, market_date, active_addresses, exchange_inflow_tokens from marts.fct_onchain_daily
        where active_addresses is not null or exchange_inflow_tokens is not null
    ),
    commits as (
        select token_id, market_date from marts.fct_developers_daily where commits_week is not null
    ),
    holders as (
        select token_id, market_date, contract, top_10_holder_share from marts.fct_holders_daily
    )
    select
        rows_of_weeks.* exclude (market_date),
        features.return_7d, features.return_30d, features.volume_surge_7d_30d, features.volatility_30d,
        risk.average_move_14d,
        grades.trader_grade, grades.score, case when grades.token_id is not null then rows_of_weeks.market_date end as grade_date,
        case signals.signal when 1 then 'bullish' when 0 then 'neutral' when -1 then 'bearish' end as signal,
        signals.p_bullish,
        calls.bullish_closes_7d, calls.calls_date,
        momentum.momentum_score, momentum.momentum_score - momentum_before.momentum_score as momentum_score_change_7d,
        sectors.rank_gain_7d as sector_rank_gain_7d, sectors.volume_share_change_7d as sector_volume_share_change_7d,
        sectors.return_less_btc_7d as sector_return_less_btc_7d, sectors.return_90d as sector_return_90d,
        sectors.market_date as sector_date,
        features.active_addresses_growth_30d, features.exchange_net_inflow_7d, onchain.market_date as onchain_date,
        features.watchlist_growth_28d, features.reddit_subscribers_growth_28d, community.market_date as community_date,
        features.news_mention_surge_7d_90d, mentions.market_date as mentions_date,
        features.holders_growth_28d, features.top_10_holder_share,
        case
            when
                holders.contract = holders_before.contract
                and holders.market_date > rows_of_weeks.market_date - {HOLDERS_CARRY_DAYS}
                and holders_before.market_date > rows_of_weeks.market_date - {HOLDERS_APART_DAYS + HOLDERS_CARRY_DAYS}
                then holders.top_10_holder_share - holders_before.top_10_holder_share
        end as top_10_holder_share_change_28d,
        holders.market_date as holders_date,
        features.commits_growth_12w, features.authors_growth_12w, commits.market_date as developers_date,
        features.cliff_unlock_30d_share, features.unlock_30d_share - features.cliff_unlock_30d_share as linear_unlock_30d_share,
        case when features.unlock_30d_share is not null then rows_of_weeks.market_date end as unlocks_date,
        listings.exchange_listed_at, coalesce(followed.has_exchange_data, false) as has_exchange_data,
        pools.dex_listed_at, pools.token_id is not null as has_dex_data
    from rows_of_weeks
    inner join marts.feat_token_daily as features
        on rows_of_weeks.token_id = features.token_id and rows_of_weeks.market_date = features.market_date
    left join marts.fct_risk_daily as risk
        on rows_of_weeks.token_id = risk.token_id and rows_of_weeks.market_date = risk.market_date
    left join momentum
        on rows_of_weeks.token_id = momentum.token_id and rows_of_weeks.as_of_week = momentum.as_of_week
    left join momentum_before
        on rows_of_weeks.token_id = momentum_before.token_id and rows_of_weeks.as_of_week = momentum_before.as_of_week
    left join calls on rows_of_weeks.token_id = calls.token_id and rows_of_weeks.as_of_week = calls.as_of_week
    left join marts.fct_sectors_daily as sectors
        on rows_of_weeks.sector = sectors.sector and rows_of_weeks.market_date = sectors.market_date
    left join followed on rows_of_weeks.as_of_week = followed.as_of_week
    left join listings on rows_of_weeks.token_id = listings.token_id and rows_of_weeks.as_of_week = listings.as_of_week
    left join pools on rows_of_weeks.token_id = pools.token_id and rows_of_weeks.as_of_week = pools.as_of_week
    left join {TRADER_GRADES.current_view_sql_name} as grades
        on rows_of_weeks.token_id = grades.token_id and rows_of_weeks.as_of_week = grades.as_of_week
    left join {TRADING_SIGNALS.current_view_sql_name} as signals
        on rows_of_weeks.token_id = signals.token_id and rows_of_weeks.as_of_week = signals.as_of_week
    asof left join onchain
        on rows_of_weeks.token_id = onchain.token_id and rows_of_weeks.market_date >= onchain.market_date
    asof left join marts.fct_community_daily as community
        on rows_of_weeks.token_id = community.token_id and rows_of_weeks.market_date >= community.market_date
    asof left join marts.fct_mentions_daily as mentions
        on rows_of_weeks.token_id = mentions.token_id and rows_of_weeks.market_date >= mentions.market_date
    asof left join holders
        on rows_of_weeks.token_id = holders.token_id and rows_of_weeks.market_date >= holders.market_date
    asof left join holders as holders_before
        on
            rows_of_weeks.token_id = holders_before.token_id
            and rows_of_weeks.market_date - {HOLDERS_APART_DAYS} >= holders_before.market_date
    asof left join commits
        on rows_of_weeks.token_id = commits.token_id and rows_of_weeks.market_date >= commits.market_date
    order by rows_of_weeks.as_of_week, rows_of_weeks.token_id
"""


def average_ranges(connection: duckdb.DuckDBPyConnection, picks: pl.DataFrame) -> pl.DataFrame:
    """Wilder's average range of each pick at its week's close, from the candles of the 400 days before it.

    Args:
        connection: The warehouse.
        picks: as_of_week and token_id.

    Returns:
        as_of_week, token_id, atr_14d (fraction of the close; null where a day's high and low are unknown).
    """
    connection.register("picked", picks.select("as_of_week", "token_id").to_arrow())
    try:
        days = connection.execute(
            f"""
            select
                picked.as_of_week, picked.token_id, daily.market_date, daily.price_usd,
                case when not daily.is_carried then ranges.high_to_close end as high_to_close,
                case when not daily.is_carried then ranges.low_to_close end as low_to_close
            from picked
            inner join marts.fct_daily as daily
                on
                    picked.token_id = daily.token_id
                    and daily.market_date between picked.as_of_week - {RANGE_DAYS} and picked.as_of_week - 1
            left join marts.fct_candle_ranges_daily as ranges
                on daily.token_id = ranges.token_id and daily.market_date = ranges.market_date
            union all
            select
                picked.as_of_week, picked.token_id, dex.market_date, dex.price_usd, dex.high_to_close, dex.low_to_close
            from picked
            inner join marts.fct_dex_tokens_daily as dex
                on
                    picked.token_id = dex.token_id
                    and dex.market_date between picked.as_of_week - {RANGE_DAYS} and picked.as_of_week - 1
            """
        ).pl()
    finally:
        connection.unregister("picked")
    # A pick of each week has a window of its own, so that its average is the same whichever weeks are built together.
    series = pl.concat_str(pl.col("as_of_week").cast(pl.String), "token_id", separator=" ")
    ranges = average_true_range(days.with_columns(token_id=series))
    closes = picks.select("as_of_week", "token_id").with_columns(
        _series=series, market_date=pl.col("as_of_week") - pl.duration(days=1)
    )
    return closes.join(
        ranges, left_on=["_series", "market_date"], right_on=["token_id", "market_date"], how="left"
    ).select("as_of_week", "token_id", "atr_14d")


def links_of(connection: duckdb.DuckDBPyConnection, picks: pl.DataFrame) -> pl.DataFrame:
    """What is linked to each picked token as known at the week: as_of_week, token_id, kind, platform, value, is_hindsight."""
    connection.register("picked", picks.select("as_of_week", "token_id").to_arrow())
    try:
        return connection.execute(
            """
            select
                picked.as_of_week, picked.token_id, links.kind, links.platform, links.value,
                -- Who else names a link without a date adds nothing where its date is known.
                bool_and(links.is_hindsight) as is_hindsight
            from picked
            inner join marts.dim_token_links as links
                on
                    picked.token_id = links.token_id
                    and (links.is_hindsight or links.valid_from < picked.as_of_week)
                    and (links.valid_to is null or links.valid_to >= picked.as_of_week)
            group by picked.as_of_week, picked.token_id, links.kind, links.platform, links.value
            order by picked.as_of_week, picked.token_id, links.kind, links.platform, links.value
            """
        ).pl()
    finally:
        connection.unregister("picked")
