-- Features of a token against those of others on the same day: its place among the broad universe, and its distance from the median
-- of its sector. What is ranked and what is compared with the sector is chosen here and nowhere else.
{%- set ranked = [
    'return_7d',
    'return_30d',
    'return_90d',
    'return_vs_btc_30d',
    'price_to_sma_50d',
    'rsi_14d',
    'regression_slope_30d',
    'volatility_30d',
    'drawdown_90d',
    'beta_btc_90d',
    'sharpe_90d',
    'volume_30d_median_usd',
    'turnover_30d',
    'volume_surge_7d_30d',
    'amihud_illiquidity_30d',
    'log_market_cap',
    'supply_growth_90d',
    'fees_30d_to_market_cap',
    'market_cap_to_tvl',
    'funding_rate_7d',
    'commits_growth_12w',
    'news_mention_share_7d',
] %}
{%- set compared = [
    'return_7d',
    'return_30d',
    'return_90d',
    'volatility_30d',
    'turnover_30d',
    'volume_surge_7d_30d',
    'market_cap_to_tvl',
] %}
with sectors as (
    select
        token_id,
        sector,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        is_hindsight
    from {{ ref('dim_tokens') }}
),

broad as (
    select
        features.token_id,
        features.market_date,
        {% for name in ranked %}
            features.{{ name }},
        {% endfor %}
        sectors.sector,
        coalesce(sectors.sector is not null and sectors.is_hindsight, false) as is_hindsight
    from {{ ref('feat_token_daily') }} as features
    inner join {{ ref('fct_universe_daily') }} as universe
        on features.token_id = universe.token_id and features.market_date = universe.market_date
    left join sectors
        on
            features.token_id = sectors.token_id
            and features.market_date >= sectors.valid_from
            and features.market_date < sectors.valid_to
    where universe.is_broad
),

sector_medians as (
    select
        market_date,
        sector,
        {% for name in compared %}
            -- The median of fewer than five tokens is one token's news.
            case when count({{ name }}) >= 5 then median({{ name }}) end as {{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from broad
    where sector is not null
    group by market_date, sector
)

select
    broad.token_id,
    broad.market_date,
    broad.sector,
    {% for name in ranked %}
        -- Equal values share the mean of their places: the first of them is rank, the last the count of all up to them.
        case
            when broad.{{ name }} is not null
                then (
                    (
                        rank() over by_{{ name }}
                        + round(cume_dist() over by_{{ name }} * count(*) over by_day) - 1
                    ) / (2 * count(broad.{{ name }}) over by_day)
                )::float
        end as rank_{{ name }},
    {% endfor %}
    {% for name in compared %}
        (broad.{{ name }} - sector_medians.{{ name }})::float as sector_relative_{{ name }},
    {% endfor %}
    broad.is_hindsight
from broad
left join sector_medians
    on broad.market_date = sector_medians.market_date and broad.sector = sector_medians.sector
window
    {% for name in ranked %}
        by_{{ name }} as (partition by broad.market_date order by broad.{{ name }} asc nulls last),
    {% endfor %}
    by_day as (partition by broad.market_date)
order by broad.token_id, broad.market_date
