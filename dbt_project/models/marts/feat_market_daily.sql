{{ config(materialized="incremental") }}
-- The state of the market on a day: bitcoin's trend, breadth and mood, over the broad universe of the day; and what was known of the
-- economy, DeFi, stablecoins and the news.
with bitcoin as (
    select
        daily.market_date,
        daily.price_usd as btc_price_usd,
        avg(daily.price_usd) over (order by daily.market_date rows between 99 preceding and current row) as mean_100,
        avg(daily.price_usd) over (order by daily.market_date rows between 199 preceding and current row) as mean_200,
        count(*) over (order by daily.market_date rows between 199 preceding and current row) as days,
        features.return_7d,
        features.return_30d,
        features.return_90d,
        features.volatility_30d,
        features.drawdown_365d
    from {{ ref('fct_daily') }} as daily
    inner join {{ ref('int_price_features') }} as features
        on daily.token_id = features.token_id and daily.market_date = features.market_date
    where daily.token_id = 'bitcoin'
),

universe as (
    select
        features.market_date,
        count(*) as tokens,
        avg((features.price_to_sma_50d > 0)::int) as breadth_50d,
        median(features.return_7d) as median_return_7d,
        median(features.return_30d) as median_return_30d,
        stddev_samp(least(features.return_7d, 3)) as dispersion_7d,
        median(features.volatility_30d) as median_volatility_30d,
        median(features.volume_surge_7d_30d) as median_volume_surge
    from {{ ref('int_price_features') }} as features
    inner join {{ ref('fct_universe_daily') }} as universe
        on features.token_id = universe.token_id and features.market_date = universe.market_date
    where
        universe.is_broad
        and {{ in_rebuilt_days(column='universe.market_date') }}
        and {{ in_rebuilt_days(column='features.market_date') }}
    group by features.market_date
)

select
    bitcoin.market_date,
    bitcoin.btc_price_usd,
    case when bitcoin.days >= 100 then bitcoin.mean_100 end as btc_sma_100d_usd,
    case when bitcoin.days >= 200 then bitcoin.mean_200 end as btc_sma_200d_usd,
    bitcoin.return_7d as btc_return_7d,
    bitcoin.return_30d as btc_return_30d,
    bitcoin.return_90d as btc_return_90d,
    bitcoin.volatility_30d as btc_volatility_30d,
    bitcoin.drawdown_365d as btc_drawdown_365d,
    universe.tokens::integer as broad_tokens,
    universe.breadth_50d::float as breadth_50d,
    universe.median_return_7d::float as median_return_7d,
    universe.median_return_30d::float as median_return_30d,
    universe.dispersion_7d::float as dispersion_7d,
    universe.median_volatility_30d::float as median_volatility_30d,
    universe.median_volume_surge::float as median_volume_surge,
    mood.fear_greed::float as fear_greed,
    facts.policy_rate::float as policy_rate,
    facts.yield_10y::float as yield_10y,
    facts.yield_curve::float as yield_curve,
    facts.dollar_change_90d::float as dollar_change_90d,
    facts.m2_growth_1y::float as m2_growth_1y,
    facts.vix::float as vix,
    facts.stablecoin_supply_growth_30d::float as stablecoin_supply_growth_30d,
    facts.stablecoin_yield::float as stablecoin_yield,
    facts.defi_tvl_growth_30d::float as defi_tvl_growth_30d,
    facts.btc_dominance::float as btc_dominance,
    facts.category_dispersion_7d::float as category_dispersion_7d,
    facts.news_tone_7d::float as news_tone_7d,
    facts.negative_headline_share_7d::float as negative_headline_share_7d,
    facts.regulation_headline_share_7d::float as regulation_headline_share_7d,
    facts.hack_headline_share_7d::float as hack_headline_share_7d,
    facts.market_news_sentiment_7d::float as market_news_sentiment_7d,
    facts.market_news_sentiment_zscore_90d::float as market_news_sentiment_zscore_90d
from bitcoin
left join universe on bitcoin.market_date = universe.market_date
left join {{ ref('stg_alternative_me__fear_greed') }} as mood on bitcoin.market_date = mood.market_date
left join {{ ref('int_market_facts') }} as facts on bitcoin.market_date = facts.market_date
where {{ in_rebuilt_days(column='bitcoin.market_date') }}
order by bitcoin.market_date
