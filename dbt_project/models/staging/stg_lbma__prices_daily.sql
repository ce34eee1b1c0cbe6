-- The London auctions of gold (afternoon) and silver (noon), USD a fine troy ounce. Of several feeds the last by name, so that one
-- speaks at a time.
select
    metal,
    market_date,
    price_usd as usd_per_troy_ounce,
    feed,
    source,
    data_source,
    available_at,
    loaded_at
from (
    select
        metal,
        market_date,
        price_usd,
        feed,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', 'lbma__prices_daily') }}
    where
        {{ known_at_as_of() }}
        and price_usd > 0
    {{ newest_load_of(['metal', 'market_date', 'feed']) }}
) as landed
qualify row_number() over (
    partition by metal, market_date
    order by feed desc
) = 1
