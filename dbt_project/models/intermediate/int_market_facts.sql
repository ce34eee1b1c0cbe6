-- Facts of the whole market as features of a day: macro, DeFi, stablecoins, categories, news. Null where nobody said, never zero.
-- Growth of a supply or of value locked is a log ratio, as with tokens.
with carried as (
    select
        market_date,
        max(value) filter (where series = 'defi_tvl_usd') as defi_tvl_usd,
        max(value) filter (where series = 'stablecoin_supply_usd') as stablecoin_supply_usd,
        max(value) filter (where series = 'stablecoin_yield') as stablecoin_yield,
        max(value) filter (where series = 'btc_dominance') as btc_dominance
    from {{ ref('int_market_series_carried') }}
    group by market_date
),

money as (
    -- The month in force against the same month a year before, both as released by then.
    select
        macro.market_date,
        ln(macro.m2_usd / (year_ago.value * 1e9)) as m2_growth_1y
    from {{ ref('fct_macro_daily') }} as macro
    inner join {{ ref('stg_fred__series') }} as year_ago
        on
            year_ago.series_id = 'M2SL'
            and last_day(macro.m2_month_date - interval 1 year) = year_ago.market_date
),

categories as (
    select
        today.market_date,
        stddev_samp(ln(today.market_cap_usd / week_ago.market_cap_usd)) as category_dispersion_7d
    from {{ ref('stg_coingecko__category_daily') }} as today
    inner join {{ ref('stg_coingecko__category_daily') }} as week_ago
        on today.category_id = week_ago.category_id and today.market_date = week_ago.market_date + 7
    -- Small categories are single coins; their jumps would be all that is measured.
    where today.market_cap_usd >= 1e7 and week_ago.market_cap_usd >= 1e7
    group by today.market_date
    having count(*) >= 5
),

news as (
    select
        market_date,
        avg(tone) over last_week as news_tone_7d,
        sum(negative_headlines) over last_week / sum(headlines) over last_week as negative_headline_share_7d,
        sum(regulation_headlines) over last_week / sum(headlines) over last_week as regulation_headline_share_7d,
        sum(hack_headlines) over last_week / sum(headlines) over last_week as hack_headline_share_7d
    from {{ ref('fct_news_daily') }}
    window last_week as (
        order by market_date
        range between interval 6 days preceding and current row
    )
),

sentiment as (
    select
        {{ known_date() }} as market_date,
        sum(news_texts * news_sentiment) over last_week / sum(news_texts) over last_week as market_news_sentiment_7d,
        news_zscore_90d as market_news_sentiment_zscore_90d
    from {{ ref('fct_sentiment_market_daily') }}
    window last_week as (
        order by {{ known_date() }}
        range between interval 6 days preceding and current row
    )
),

days as (
    select market_date from carried
    union
    select market_date from categories
    union
    select market_date from news
    union
    select market_date from sentiment
)

select
    days.market_date,
    macro.policy_rate,
    macro.yield_10y,
    macro.yield_curve,
    macro.dollar_index / quarter_ago.dollar_index - 1 as dollar_change_90d,
    money.m2_growth_1y,
    macro.vix,
    ln(carried.stablecoin_supply_usd / month_ago.stablecoin_supply_usd) as stablecoin_supply_growth_30d,
    carried.stablecoin_yield,
    ln(carried.defi_tvl_usd / month_ago.defi_tvl_usd) as defi_tvl_growth_30d,
    carried.btc_dominance,
    categories.category_dispersion_7d,
    news.news_tone_7d,
    news.negative_headline_share_7d,
    news.regulation_headline_share_7d,
    news.hack_headline_share_7d,
    sentiment.market_news_sentiment_7d,
    sentiment.market_news_sentiment_zscore_90d
from days
left join {{ ref('fct_macro_daily') }} as macro on days.market_date = macro.market_date
left join {{ ref('fct_macro_daily') }} as quarter_ago on days.market_date = quarter_ago.market_date + 90
left join money on days.market_date = money.market_date
left join carried on days.market_date = carried.market_date
left join carried as month_ago on days.market_date = month_ago.market_date + 30
left join categories on days.market_date = categories.market_date
left join news on days.market_date = news.market_date
left join sentiment on days.market_date = sentiment.market_date
