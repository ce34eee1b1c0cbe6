{{ config(materialized="incremental") }}
-- Bad ticks, judged on the day itself with nothing later: a price more than 5 times away from the median of the five prices before
-- it, and more than 2 times away from the last one, is held back. It is believed all the same where two sources agree on it, where a lot
-- of money came for it (50 M USD and three times the usual volume, or 2,000 USD and ten times), or where the token had already left its
-- ground the day before (a crash goes on). A true jump without any of these is confirmed by the next day's price, which then stands near
-- the last one: a day late and never lost.
with neighbours as (
    select
        token_id,
        market_date,
        price_usd,
        price_source,
        sources_agreeing,
        first_source,
        first_price_usd,
        delivered_cap_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at,
        median(price_usd) over five_before as median_before_usd,
        median(volume_24h_usd) over five_before as volume_before_usd,
        lag(price_usd) over (partition by token_id order by market_date) as price_before_usd
    from {{ with_rows_before(ref('int_prices_consensus'), 6) }}
    window five_before as (
        partition by token_id
        order by market_date
        rows between 5 preceding and 1 preceding
    )
),

judged as (
    select
        token_id,
        market_date,
        price_usd,
        price_source,
        sources_agreeing,
        first_source,
        first_price_usd,
        delivered_cap_usd,
        market_cap_usd,
        volume_24h_usd,
        data_source,
        available_at,
        median_before_usd,
        abs(ln(price_usd / median_before_usd)) > ln(5) and abs(ln(price_usd / price_before_usd)) > ln(2) as is_jump,
        (volume_24h_usd >= 50e6 and volume_24h_usd >= 3 * volume_before_usd)
        or (volume_24h_usd >= 2000 and volume_24h_usd >= 10 * volume_before_usd) as is_paid_for,
        -- In the same direction: a tick down does not vouch for one up.
        lag(ln(price_usd / median_before_usd)) over (partition by token_id order by market_date)
        * sign(ln(price_usd / median_before_usd)) > ln(3) as is_going_on
    from neighbours
)

select
    token_id,
    market_date,
    price_usd,
    price_source,
    sources_agreeing,
    first_source,
    first_price_usd,
    delivered_cap_usd,
    market_cap_usd,
    volume_24h_usd,
    data_source,
    available_at,
    median_before_usd,
    coalesce(is_jump, false)
    and sources_agreeing = 1
    and not coalesce(is_paid_for, false)
    and not coalesce(is_going_on, false) as is_bad_tick
from judged
where {{ in_rebuilt_days() }}
