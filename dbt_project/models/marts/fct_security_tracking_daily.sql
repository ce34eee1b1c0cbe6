-- How far the price of a tokenised asset is from what it stands for, on days on which both are known.
-- The auction of London is in the afternoon, a token's close at 24:00 UTC: the newest auction known by then counts, as a publication
-- lag of a day means that of the day before, and over a weekend or holidays one up to five days old. So a premium holds the move of
-- the metal since that auction too, one or two per cent on a lively day.
with tracked as (
    select
        daily.token_id,
        daily.market_date,
        daily.price_usd,
        daily.available_at,
        seeds.underlying,
        seeds.underlying_class,
        seeds.troy_ounces_per_token
    from {{ ref('fct_daily') }} as daily
    inner join {{ ref('tracked_underlyings') }} as seeds on daily.token_id = seeds.token_id
    where not daily.is_carried
),

auctions as (
    select
        metal,
        market_date as underlying_date,
        usd_per_troy_ounce,
        available_at
    from {{ ref('stg_lbma__prices_daily') }}
    -- A late row of an old day must not speak over a newer one that was known before it.
    qualify market_date = max(market_date) over (partition by metal order by available_at, market_date)
),

matched as (
    select
        tracked.token_id,
        tracked.market_date,
        tracked.underlying,
        tracked.underlying_class,
        tracked.price_usd,
        auctions.underlying_date,
        tracked.available_at,
        auctions.usd_per_troy_ounce * tracked.troy_ounces_per_token as underlying_usd
    from tracked
    asof inner join auctions
        on tracked.underlying = auctions.metal and tracked.available_at >= auctions.available_at
)

select
    token_id,
    market_date,
    underlying,
    underlying_class,
    price_usd,
    underlying_usd,
    underlying_date,
    price_usd / underlying_usd - 1 as premium,
    available_at
from matched
where market_date - underlying_date <= 5
order by token_id, market_date
