-- The sectors of the broad universe as chained indices: what a holder of a whole sector by market cap would have earned. A return
-- belongs to the members and caps of the day before, so a token that crashes out of the universe takes its crash along.
{%- set fewest_tokens = 5 %}
with memberships as (
    -- The one place that reads who is in which sector. Most of the lists are undated, hence is_hindsight below.
    select
        token_id,
        sector,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('dim_tokens') }}
    where sector is not null
),

members as (
    select
        token_id,
        market_date,
        market_cap_usd,
        market_cap_1d_before_usd,
        volume_24h_usd,
        return_1d,
        is_broad,
        was_broad,
        available_at
    from {{ ref('int_market_members') }}
    where is_broad or was_broad
),

market as (
    select
        market_date,
        sum(market_cap_usd) filter (where is_broad) as market_cap_usd,
        sum(volume_24h_usd) filter (where is_broad) as volume_24h_usd,
        max(return_1d) filter (where token_id = 'bitcoin') as btc_return_1d,
        max(available_at) as available_at
    from members
    group by market_date
),

published as (
    -- CoinGecko's categories overlap, so their caps do not add up; the largest of a sector is what it should about reach.
    select
        seeds.sector,
        categories.market_date,
        max(categories.market_cap_usd) as market_cap_usd,
        max(categories.available_at) as available_at
    from {{ ref('stg_coingecko__category_daily') }} as categories
    inner join {{ ref('sector_categories') }} as seeds
        on categories.category_name = seeds.category_name
    group by seeds.sector, categories.market_date
),

sums as (
    select
        memberships.sector,
        members.market_date,
        count(*) filter (where members.is_broad) as tokens,
        sum(members.market_cap_usd) filter (where members.is_broad) as market_cap_usd,
        sum(members.volume_24h_usd) filter (where members.is_broad) as volume_24h_usd,
        count(*) filter (where members.was_broad and members.return_1d is not null) as tokens_held,
        sum(members.return_1d * members.market_cap_1d_before_usd) filter (where members.was_broad)
        / sum(members.market_cap_1d_before_usd) filter (where members.was_broad and members.return_1d is not null) as weighted_return_1d,
        median(members.return_1d) filter (where members.was_broad) as median_return_1d,
        avg((features.price_to_sma_50d > 0)::int) filter (where members.is_broad) as share_above_average_50d
    from members
    inner join memberships
        on
            members.token_id = memberships.token_id
            and members.market_date >= memberships.valid_from
            and members.market_date < memberships.valid_to
    left join {{ ref('feat_token_daily') }} as features
        on members.token_id = features.token_id and members.market_date = features.market_date
    group by memberships.sector, members.market_date
),

judged as (
    select
        sums.sector,
        sums.market_date,
        sums.tokens,
        sums.market_cap_usd,
        sums.volume_24h_usd,
        sums.market_cap_usd / market.market_cap_usd as market_cap_share,
        sums.volume_24h_usd / market.volume_24h_usd as volume_share,
        case when sums.tokens_held >= {{ fewest_tokens }} then sums.weighted_return_1d end as return_1d,
        case when sums.tokens_held >= {{ fewest_tokens }} then sums.median_return_1d end as median_return_1d,
        case when sums.tokens >= {{ fewest_tokens }} then sums.share_above_average_50d end as breadth_50d,
        market.btc_return_1d,
        published.market_cap_usd as coingecko_market_cap_usd,
        greatest(market.available_at, published.available_at) as available_at,
        (sums.market_date - date '2000-01-01')::integer as day_number
    from sums
    inner join market on sums.market_date = market.market_date
    left join published on sums.sector = published.sector and sums.market_date = published.market_date
),

chained as (
    -- A day without a return leaves the level where it is; a return over days is unknown if one of them is.
    select
        sector,
        market_date,
        tokens,
        market_cap_usd,
        volume_24h_usd,
        market_cap_share,
        volume_share,
        return_1d,
        median_return_1d,
        breadth_50d,
        btc_return_1d,
        coingecko_market_cap_usd,
        available_at,
        day_number,
        100 * exp(sum(ln(1 + coalesce(return_1d, 0))) over so_far) as index_level,
        {% for days in [7, 30, 90] %}
            case
                when count(return_1d) over last_{{ days }} = {{ days }} then sum(ln(1 + return_1d)) over last_{{ days }}
            end as log_return_{{ days }}d,
            case
                when count(btc_return_1d) over last_{{ days }} = {{ days }} then sum(ln(1 + btc_return_1d)) over last_{{ days }}
            end as btc_log_return_{{ days }}d,
        {% endfor %}
        avg(volume_share) over last_7 as volume_share_7d,
        avg(volume_share) over week_before_last as volume_share_7d_before
    from judged
    window
        so_far as (
            partition by sector
            order by day_number
            rows between unbounded preceding and current row
        ),
        week_before_last as (
            partition by sector
            order by day_number
            range between 13 preceding and 7 preceding
        ),
        last_7 as (
            partition by sector
            order by day_number
            range between 6 preceding and current row
        ),
        last_30 as (
            partition by sector
            order by day_number
            range between 29 preceding and current row
        ),
        last_90 as (
            partition by sector
            order by day_number
            range between 89 preceding and current row
        )
),

ranked as (
    select
        sector,
        market_date,
        tokens,
        market_cap_usd,
        volume_24h_usd,
        market_cap_share,
        volume_share,
        volume_share_7d - volume_share_7d_before as volume_share_change_7d,
        return_1d,
        median_return_1d,
        exp(log_return_7d) - 1 as return_7d,
        exp(log_return_30d) - 1 as return_30d,
        exp(log_return_90d) - 1 as return_90d,
        return_1d - btc_return_1d as return_less_btc_1d,
        exp(log_return_7d) - exp(btc_log_return_7d) as return_less_btc_7d,
        exp(log_return_30d) - exp(btc_log_return_30d) as return_less_btc_30d,
        exp(log_return_90d) - exp(btc_log_return_90d) as return_less_btc_90d,
        breadth_50d,
        case
            when log_return_30d is not null then rank() over (partition by market_date order by log_return_30d desc nulls last)
        end as rank_30d,
        index_level,
        max(index_level) over (
            partition by sector
            order by day_number
            rows between unbounded preceding and current row
        ) as index_high,
        coingecko_market_cap_usd,
        available_at,
        day_number
    from chained
)

select
    sector,
    market_date,
    tokens::integer as tokens,
    market_cap_usd,
    volume_24h_usd,
    market_cap_share,
    volume_share,
    volume_share_change_7d,
    return_1d,
    median_return_1d,
    return_7d,
    return_30d,
    return_90d,
    return_less_btc_1d,
    return_less_btc_7d,
    return_less_btc_30d,
    return_less_btc_90d,
    breadth_50d,
    rank_30d::integer as rank_30d,
    (any_value(rank_30d) over week_before - rank_30d)::integer as rank_gain_7d,
    index_level,
    index_high,
    index_level / index_high - 1 as drawdown_from_high,
    coingecko_market_cap_usd,
    market_cap_usd / coingecko_market_cap_usd as coingecko_market_cap_ratio,
    true as is_hindsight,
    available_at
from ranked
window
    week_before as (
        partition by sector
        order by day_number
        range between 7 preceding and 7 preceding
    )
order by market_date, sector
