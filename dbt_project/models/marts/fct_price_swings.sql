{{ config(materialized="incremental") }}
-- Swing highs and lows: closes that no other close of the 7 days before and the 7 days after them reaches. A swing is known only when
-- those 7 days are over, so market_date is the day it was confirmed. Carried prices are no closes; a side with fewer than 4 closes
-- confirms nothing.
{%- set side_days = 7 %}
{%- set least_closes = 4 %}
with closes as (
    select
        token_id,
        market_date,
        price_usd,
        available_at,
        -- Windows over a whole number cost a third of those over a date with intervals.
        (market_date - date '2000-01-01')::integer as day_number
    from {{ ref('fct_daily') }}
    where not is_carried and {{ in_rebuilt_days(days_before=2 * side_days) }}
),

compared as (
    select
        token_id,
        market_date as swing_date,
        price_usd,
        count(*) over before as closes_before,
        count(*) over following as closes_following,
        greatest(max(price_usd) over before, max(price_usd) over following) as highest_other_usd,
        least(min(price_usd) over before, min(price_usd) over following) as lowest_other_usd,
        greatest(available_at, max(available_at) over following) as available_at
    from closes
    window
        before as (
            partition by token_id
            order by day_number
            range between {{ side_days }} preceding and 1 preceding
        ),
        following as (
            partition by token_id
            order by day_number
            range between 1 following and {{ side_days }} following
        )
),

swings as (
    select
        token_id,
        swing_date + {{ side_days }} as market_date,
        swing_date,
        case when price_usd > highest_other_usd then 'high' else 'low' end as kind,
        price_usd,
        available_at
    from compared
    where
        closes_before >= {{ least_closes }}
        and closes_following >= {{ least_closes }}
        and (price_usd > highest_other_usd or price_usd < lowest_other_usd)
)

select
    token_id,
    market_date,
    swing_date,
    kind,
    price_usd,
    greatest(available_at, market_date::timestamp at time zone 'UTC' + interval 1 day) as available_at
from swings
where market_date <= {{ last_close() }} and {{ in_rebuilt_days() }}
order by token_id, market_date
