{{ config(materialized="incremental") }}
-- Whether a token has kept within 3 % of one dollar on 80 % of its days so far (at least 20): flags of the providers miss some.
with counted_before as (
    {{ before_rebuilt_days(['token_id'], [
        ('max(days_so_far)', 'days_so_far', 'integer'),
        ('max(days_near_dollar)', 'days_near_dollar', 'integer'),
    ]) }}
),

counted as (
    select
        daily.token_id,
        daily.market_date,
        (coalesce(counted_before.days_so_far, 0) + count(*) over so_far)::integer as days_so_far,
        (
            coalesce(counted_before.days_near_dollar, 0) + count(*) filter (where abs(daily.price_usd - 1) < 0.03) over so_far
        )::integer as days_near_dollar
    from {{ ref('fct_daily') }} as daily
    left join counted_before on daily.token_id = counted_before.token_id
    where {{ in_rebuilt_days(column='daily.market_date') }}
    window so_far as (
        partition by daily.token_id
        order by daily.market_date
        rows between unbounded preceding and current row
    )
)

select
    token_id,
    market_date,
    days_so_far,
    days_near_dollar,
    days_so_far >= 20 and 5 * days_near_dollar >= 4 * days_so_far as is_dollar_pegged
from counted
