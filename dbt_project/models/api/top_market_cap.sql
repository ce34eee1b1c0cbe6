-- The hundred largest tokens of the newest day, stablecoins included, claims on other tokens not; with grade and call where there is one.
with newest as (
    select max(market_date) as market_date
    from {{ ref('fct_universe_daily') }}
),

largest as (
    select
        universe.token_id,
        universe.market_date,
        universe.price_usd,
        universe.market_cap_usd,
        universe.is_stable,
        row_number() over (order by universe.market_cap_usd desc, universe.token_id asc) as rank
    from {{ ref('fct_universe_daily') }} as universe
    inner join newest on universe.market_date = newest.market_date
    -- A claimed cap without volume would lead the list.
    where
        not universe.is_wrapped
        and universe.market_cap_usd is not null
        and universe.volume_30d_median_usd >= 0.0002 * universe.market_cap_usd
    qualify row_number() over (order by universe.market_cap_usd desc, universe.token_id asc) <= 100
)

select
    largest.rank::integer as rank,
    largest.market_date as date,
    largest.token_id,
    tokens.symbol,
    tokens.sector,
    largest.price_usd,
    largest.market_cap_usd,
    largest.market_cap_usd / market.market_cap_usd as market_cap_share,
    features.return_1d::double as return_1d,
    features.return_7d::double as return_7d,
    features.return_30d::double as return_30d,
    largest.is_stable,
    grades.trader_grade,
    grades.investor_grade,
    signals.signal
from largest
inner join {{ ref('fct_market_daily') }} as market on largest.market_date = market.market_date
inner join {{ ref('dim_tokens') }} as tokens on largest.token_id = tokens.token_id and tokens.is_current
inner join {{ ref('feat_token_daily') }} as features
    on largest.token_id = features.token_id and largest.market_date = features.market_date
left join {{ source('versioned', 'daily_grades_current') }} as grades
    on largest.token_id = grades.token_id and largest.market_date = grades.market_date
left join {{ source('versioned', 'daily_signals_current') }} as signals
    on largest.token_id = signals.token_id and largest.market_date = signals.market_date
