-- Series of the whole market as they were known at each close: the newest value whose release had come, carried at most `carry_days`
-- after it. Grain: series and day. A series that was never read, or not for too long, has no row.
with released as (
    select
        series_id as series,
        market_date as period_date,
        value,
        available_at,
        carry_days
    from {{ ref('stg_fred__series') }}
    where series_id in ('DFF', 'DGS10', 'T10Y2Y', 'DTWEXBGS', 'M2SL', 'VIXCLS')
    union all
    select
        'defi_tvl_usd' as series,
        market_date as period_date,
        tvl_usd as value,
        available_at,
        5 as carry_days
    from {{ ref('stg_defillama__chain_tvl') }}
    where chain = 'ALL' and tvl_usd > 0
    union all
    select
        'stablecoin_supply_usd' as series,
        market_date as period_date,
        circulating_usd as value,
        available_at,
        5 as carry_days
    from {{ ref('stg_defillama__stablecoin_supply') }}
    where stablecoin_id = 'ALL' and circulating_usd > 0
    union all
    -- What dollars earn without price risk: pools of stablecoins, by size. Beyond 100 % a year a rate is a lure, not a yield.
    select
        'stablecoin_yield' as series,
        market_date as period_date,
        sum(apy_base * tvl_usd) / sum(tvl_usd) as value,
        max(available_at) as available_at,
        5 as carry_days
    from {{ ref('stg_defillama__yields') }}
    where is_stablecoin and tvl_usd > 0 and apy_base between 0 and 1
    group by market_date
    union all
    select
        'btc_dominance' as series,
        market_date as period_date,
        btc_dominance as value,
        available_at,
        5 as carry_days
    from {{ ref('stg_coingecko__global_daily') }}
    where btc_dominance is not null
    union all
    select
        'news_tone' as series,
        market_date as period_date,
        sum(tone * greatest(coalesce(articles, 1), 1)) / sum(greatest(coalesce(articles, 1), 1)) as value,
        max(available_at) as available_at,
        0 as carry_days
    from {{ ref('stg_gdelt__tone_daily') }}
    -- Subjects asked in every run; the tokens' names rotate, and the mean would move with whose turn it is.
    where tone is not null and query in ('bitcoin', 'ethereum', 'cryptocurrency')
    group by market_date
),

followed as (
    select
        series,
        period_date,
        value,
        {{ known_date() }} as from_date,
        carry_days
    from released
    -- Of two periods released on one day the later one counts.
    qualify row_number() over (partition by series, {{ known_date() }} order by period_date desc) = 1
),

bounded as (
    select
        series,
        period_date,
        value,
        from_date,
        least(
            from_date + carry_days + 1,
            coalesce(lead(from_date) over (partition by series order by from_date), {{ last_close() }} + 1),
            {{ last_close() }} + 1
        ) as until_date
    from followed
)

select
    series,
    unnest(range(from_date, until_date, interval 1 day))::date as market_date,
    period_date,
    value
from bounded
