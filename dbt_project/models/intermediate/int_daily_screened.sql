-- Bad ticks, judged on the day itself with nothing later: a price more than 5 times away from the median of the five prices before
-- it, and more than 2 times away from the last one, is held back unless a lot of money traded at it. A true jump is confirmed by
-- the next day's price, which then stands near the last one, so it is late by one day and never lost.
with neighbours as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        price_source,
        data_source,
        available_at,
        median(price_usd) over (
            partition by token_id order by market_date rows between 5 preceding and 1 preceding
        ) as median_before_usd,
        lag(price_usd) over (partition by token_id order by market_date) as price_before_usd
    from {{ ref('int_daily_merged') }}
)

select
    token_id,
    market_date,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    price_source,
    data_source,
    available_at,
    median_before_usd,
    coalesce(
        abs(ln(price_usd / median_before_usd)) > ln(5)
        and abs(ln(price_usd / price_before_usd)) > ln(2)
        and coalesce(volume_24h_usd, 0) < 50e6,
        false
    ) as is_bad_tick
from neighbours
