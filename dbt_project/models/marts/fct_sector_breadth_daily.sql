{{ config(materialized="incremental") }}
-- What moves inside of each sector on a day: how many of its tokens rise or beat bitcoin, how much of its volume is new, and which lead.
-- Who is in a sector comes from undated lists (is_hindsight of fct_sectors_daily).
{%- set fewest_tokens = 5 %}
with members as (
    select
        members.token_id,
        members.sector,
        members.market_date,
        members.available_at,
        members.market_cap_usd,
        members.market_cap_30d_before_usd,
        features.return_30d::double as return_30d,
        features.return_vs_btc_30d::double as return_vs_btc_30d,
        features.volume_surge_7d_30d::double as volume_surge_7d_30d,
        row_number() over (
            partition by members.sector, members.market_date
            order by features.return_30d desc nulls last, members.token_id asc
        ) as place
    from {{ ref('int_market_members') }} as members
    inner join {{ ref('int_price_features') }} as features
        on members.token_id = features.token_id and members.market_date = features.market_date
    where
        members.is_broad
        and members.sector is not null
        and {{ in_rebuilt_days(column='members.market_date') }}
        and {{ in_rebuilt_days(column='features.market_date') }}
)

select
    sector,
    market_date,
    count(return_30d)::integer as tokens_known,
    case when count(return_30d) >= {{ fewest_tokens }} then avg((return_30d > 0)::int) end as positive_share_30d,
    case when count(return_vs_btc_30d) >= {{ fewest_tokens }} then avg((return_vs_btc_30d > 0)::int) end as beats_btc_share_30d,
    case when count(volume_surge_7d_30d) >= {{ fewest_tokens }} then median(volume_surge_7d_30d) end as median_volume_surge_7d_30d,
    sum(market_cap_usd - market_cap_30d_before_usd) as market_cap_flow_30d_usd,
    max(token_id) filter (where place = 1 and return_30d is not null) as leader_token_id,
    max(return_30d) filter (where place = 1) as leader_return_30d,
    string_agg(token_id, ', ' order by place) filter (where place <= 3 and return_30d is not null) as leaders,
    max(available_at) as available_at
from members
group by sector, market_date
order by market_date, sector
