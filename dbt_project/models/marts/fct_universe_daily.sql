{{ config(materialized="incremental") }}
-- Which tokens may be graded on a day, from what was known on it. `broad` is the universe every score must cover; `liquid` its
-- larger half. The reason is the first rule a token fails.
{%- set first_wrong %}
    select min(universe.market_date)
    from {{ this }} as universe
    inner join {{ ref('dim_tokens') }} as tokens on universe.token_id = tokens.token_id and tokens.is_current
    where universe.token_class != tokens.token_class
{%- endset %}
{%- if is_incremental() %}{% do rebuilt_from(first_wrong) %}{% endif %}
with judged as (
    select
        daily.token_id,
        daily.market_date,
        daily.is_carried,
        daily.price_usd,
        daily.market_cap_usd,
        daily.is_supply_carried,
        features.volume_30d_median_usd::double as volume_30d_median_usd,
        features.age_days::integer as age_days,
        tokens.token_class,
        case
            when tokens.token_class != 'independent' then tokens.token_class
            when pegged.is_dollar_pegged then 'stable'
            -- Half a percent a day is less than any independent token strays from a major coin.
            when daily.token_id not in ('bitcoin', 'ethereum') and features.tracking_error_btc_90d < 0.006 then 'wrapped'
            when daily.token_id not in ('bitcoin', 'ethereum') and features.tracking_error_eth_90d < 0.006 then 'wrapped'
        end as pegged_class,
        features.volatility_30d
    from {{ ref('fct_daily') }} as daily
    inner join {{ ref('int_price_features') }} as features
        on daily.token_id = features.token_id and daily.market_date = features.market_date
    inner join {{ ref('dim_tokens') }} as tokens
        on daily.token_id = tokens.token_id and tokens.is_current
    left join {{ ref('int_pegged_so_far') }} as pegged
        on daily.token_id = pegged.token_id and daily.market_date = pegged.market_date
    where {{ in_rebuilt_days(column='daily.market_date') }}
),

reasoned as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        is_supply_carried,
        volume_30d_median_usd,
        age_days,
        token_class,
        pegged_class,
        case
            when pegged_class = 'security' then 'tokenised security'
            when pegged_class = 'fund' then 'tokenised fund'
            when pegged_class = 'commodity' then 'tokenised commodity'
            when pegged_class = 'leveraged' then 'leveraged token'
            when pegged_class is not null then 'pegged: ' || pegged_class
            when market_cap_usd is null then 'market cap unknown'
            when market_cap_usd <= 5e6 then 'market cap up to 5 M USD'
            when volume_30d_median_usd is null then 'volume unknown'
            when volume_30d_median_usd <= 1e5 then 'median 30-day volume up to 100 k USD'
            when volume_30d_median_usd < 0.0002 * market_cap_usd then 'volume under 0.02 % of the market cap'
            when age_days <= 60 then 'younger than 61 days'
            when volatility_30d is null then 'too few prices in 30 days'
            when volatility_30d <= 0.008 * sqrt(365) then '30-day volatility up to 0.8 % a day'
        end as exclusion_reason
    from judged
)

select
    token_id,
    market_date,
    price_usd,
    market_cap_usd,
    is_supply_carried,
    volume_30d_median_usd,
    age_days,
    token_class,
    coalesce(pegged_class = 'stable', false) as is_stable,
    coalesce(pegged_class != 'stable', false) as is_wrapped,
    exclusion_reason is null as is_broad,
    exclusion_reason is null and market_cap_usd > 1e8 and volume_30d_median_usd > 2e6 as is_liquid,
    exclusion_reason
from reasoned
order by market_date, token_id
