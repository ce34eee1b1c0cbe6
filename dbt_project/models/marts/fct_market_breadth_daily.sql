{{ config(materialized="incremental") }}
-- How widely the market moves, beyond what fct_market_daily has: altcoin season, tokens far below their high, dispersion of returns over
-- weeks and months, tokens that can be traded, and tokens that came or stopped. All of the broad universe of the day.
{%- set season_tokens = 50 %}
{%- set fewest_tokens = 20 %}
with members as (
    select
        members.token_id,
        members.market_date,
        members.market_cap_usd,
        universe.is_liquid,
        members.available_at,
        features.return_7d::double as return_7d,
        features.return_30d::double as return_30d,
        features.return_90d::double as return_90d,
        features.correlation_btc_90d::double as correlation_btc_90d,
        highs.drawdown_from_high
    from {{ ref('int_market_members') }} as members
    inner join {{ ref('fct_universe_daily') }} as universe
        on members.token_id = universe.token_id and members.market_date = universe.market_date
    inner join {{ ref('int_price_features') }} as features
        on members.token_id = features.token_id and members.market_date = features.market_date
    inner join {{ ref('fct_token_market_daily') }} as highs
        on members.token_id = highs.token_id and members.market_date = highs.market_date
    where
        members.is_broad
        and {{ in_rebuilt_days(column='members.market_date') }}
        and {{ in_rebuilt_days(column='universe.market_date') }}
        and {{ in_rebuilt_days(column='features.market_date') }}
        and {{ in_rebuilt_days(column='highs.market_date') }}
),

bitcoin as (
    select
        market_date,
        return_90d
    from {{ ref('int_price_features') }}
    where token_id = 'bitcoin' and {{ in_rebuilt_days() }}
),

breadth as (
    select
        market_date,
        count(*) as broad_tokens,
        count(*) filter (where is_liquid) as liquid_tokens,
        avg((drawdown_from_high < -0.9)::int) as down_90_share,
        {% for days in [7, 30, 90] %}
            -- As return_dispersion_1d: deaf to a single coin.
            case
                when count(return_{{ days }}d) >= {{ fewest_tokens }}
                    then (quantile_cont(return_{{ days }}d, 0.84) - quantile_cont(return_{{ days }}d, 0.16)) / 2
            end as return_dispersion_{{ days }}d,
            median(return_{{ days }}d) as median_return_{{ days }}d,
        {% endfor %}
        case when count(correlation_btc_90d) >= {{ fewest_tokens }} then median(correlation_btc_90d) end as median_correlation_btc_90d,
        max(available_at) as available_at
    from members
    group by market_date
),

largest as (
    select
        market_date,
        return_90d
    from members
    where token_id != 'bitcoin' and return_90d is not null
    qualify row_number() over (
        partition by market_date
        order by market_cap_usd desc, token_id asc
    ) <= {{ season_tokens }}
),

season as (
    select
        largest.market_date,
        count(*) as season_tokens,
        100 * avg((largest.return_90d > bitcoin.return_90d)::int) as altcoin_season_index
    from largest
    inner join bitcoin on largest.market_date = bitcoin.market_date
    where bitcoin.return_90d is not null
    group by largest.market_date
),

events as (
    select
        market_date,
        count(*) filter (where event = 'listed') as listed_tokens,
        count(*) filter (where event = 'stopped') as stopped_tokens,
        count(*) filter (where event = 'stopped' and was_broad) as stopped_broad_tokens,
        coalesce(bool_or(is_coverage_break) filter (where event = 'listed'), false) as has_source_come,
        coalesce(bool_or(is_coverage_break) filter (where event = 'stopped'), false) as has_source_ended
    from {{ ref('fct_token_events_daily') }}
    where {{ in_rebuilt_days() }}
    group by market_date
)

select
    breadth.market_date,
    breadth.broad_tokens::integer as broad_tokens,
    breadth.liquid_tokens::integer as liquid_tokens,
    case when season.season_tokens >= {{ fewest_tokens }} then season.altcoin_season_index end as altcoin_season_index,
    coalesce(season.season_tokens, 0)::integer as altcoin_season_tokens,
    breadth.down_90_share,
    breadth.return_dispersion_7d,
    breadth.return_dispersion_30d,
    breadth.return_dispersion_90d,
    breadth.median_return_7d,
    breadth.median_return_30d,
    breadth.median_return_90d,
    breadth.median_correlation_btc_90d,
    -- A day on which a source came or ended says nothing of the market; a day without any event had none.
    case when not coalesce(events.has_source_come, false) then coalesce(events.listed_tokens, 0) end::integer as new_listings,
    case when not coalesce(events.has_source_ended, false) then coalesce(events.stopped_tokens, 0) end::integer as deaths,
    case when not coalesce(events.has_source_ended, false) then coalesce(events.stopped_broad_tokens, 0) end::integer as broad_deaths,
    coalesce(events.has_source_come or events.has_source_ended, false) as is_coverage_break,
    breadth.available_at
from breadth
left join season on breadth.market_date = season.market_date
left join events on breadth.market_date = events.market_date
order by breadth.market_date
