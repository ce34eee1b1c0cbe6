{{ config(materialized="incremental") }}
-- How far each token is from its highest price so far, and whether its close is the highest or lowest of a month or a year. The
-- all-time high and its day are state: a new day needs those of the day before and the new price, whatever came earlier.
with highs_before as (
    {{ before_rebuilt_days(['token_id'], [
        ('max(all_time_high_usd)', 'all_time_high_usd', 'double'),
        ('max(all_time_high_date)', 'all_time_high_date', 'date'),
    ]) }}
),

days as (
    select
        token_id,
        market_date,
        price_usd,
        first_date,
        available_at,
        -- Windows over a whole number cost a third of those over a date with intervals.
        (market_date - date '2000-01-01')::integer as day_number
    from {{ ref('fct_daily') }}
    where {{ in_rebuilt_days(days_before=364) }}
),

followed as (
    select
        token_id,
        market_date,
        price_usd,
        first_date,
        available_at,
        max(price_usd) over so_far as highest_usd,
        -- Of equal prices the first: a flat or carried price sets no new high.
        arg_max(market_date, price_usd) over so_far as highest_date,
        max(price_usd) over month_before as high_month_usd,
        min(price_usd) over month_before as low_month_usd,
        max(price_usd) over year_before as high_year_usd,
        min(price_usd) over year_before as low_year_usd
    from days
    window
        so_far as (
            partition by token_id
            order by day_number
            rows between unbounded preceding and current row
        ),
        month_before as (
            partition by token_id
            order by day_number
            range between 29 preceding and 1 preceding
        ),
        year_before as (
            partition by token_id
            order by day_number
            range between 364 preceding and 1 preceding
        )
),

judged as (
    select
        followed.token_id,
        followed.market_date,
        followed.price_usd,
        followed.first_date,
        followed.available_at,
        followed.high_month_usd,
        followed.low_month_usd,
        followed.high_year_usd,
        followed.low_year_usd,
        greatest(followed.highest_usd, highs_before.all_time_high_usd) as all_time_high_usd,
        case
            when highs_before.all_time_high_usd >= followed.highest_usd then highs_before.all_time_high_date
            else followed.highest_date
        end as all_time_high_date
    from followed
    left join highs_before on followed.token_id = highs_before.token_id
    where {{ in_rebuilt_days(column='followed.market_date') }}
)

select
    token_id,
    market_date,
    price_usd,
    all_time_high_usd,
    all_time_high_date,
    price_usd / all_time_high_usd - 1 as drawdown_from_high,
    (market_date - all_time_high_date)::integer as days_since_high,
    -- Unknown until the token is as old as the window: the first days of a token would all be highs or lows.
    case when market_date - first_date >= 29 then price_usd > high_month_usd end as is_new_high_30d,
    case when market_date - first_date >= 29 then price_usd < low_month_usd end as is_new_low_30d,
    case when market_date - first_date >= 364 then price_usd > high_year_usd end as is_new_high_365d,
    case when market_date - first_date >= 364 then price_usd < low_year_usd end as is_new_low_365d,
    available_at
from judged
