-- Calls and bands of the grade, a calendar month and origin a row: published and backfilled calls are never pooled. A base rate is the
-- share of the called outcome among all rows of the month and origin, called or not.
with outcomes as (
    select
        date_trunc('month', as_of_week)::date as month,
        call_origin,
        signal,
        outcome,
        is_right,
        excess_over_market,
        excess_over_bitcoin,
        is_in_worst_decile,
        grade_band,
        case signal when 1 then 'bullish' when -1 then 'bearish' else 'neutral' end as call
    from {{ ref('call_outcomes') }}
),

base_rates as (
    select
        month,
        call_origin,
        avg((outcome = 1)::int) as bullish,
        avg((outcome = 0)::int) as neutral,
        avg((outcome = -1)::int) as bearish
    from outcomes
    group by month, call_origin
),

grouped as (
    select
        month,
        call_origin,
        'call' as grouping,
        call as group_name,
        is_right,
        excess_over_market,
        excess_over_bitcoin,
        is_in_worst_decile
    from outcomes
    union all
    select
        month,
        call_origin,
        'grade' as grouping,
        grade_band as group_name,
        null as is_right,
        excess_over_market,
        excess_over_bitcoin,
        is_in_worst_decile
    from outcomes
    where grade_band is not null
),

summarised as (
    select
        month,
        call_origin,
        grouping,
        group_name,
        count(*) as calls,
        count(excess_over_market) as calls_known,
        avg(is_right::int) as precision,
        avg(excess_over_market) as mean_excess_over_market,
        median(excess_over_market) as median_excess_over_market,
        avg((excess_over_bitcoin > 0)::int) as hit_rate_over_bitcoin,
        avg(is_in_worst_decile::int) as worst_decile_share
    from grouped
    group by month, call_origin, grouping, group_name
)

select
    summarised.month,
    summarised.call_origin,
    summarised.grouping,
    summarised.group_name,
    summarised.calls,
    summarised.calls_known,
    summarised.precision,
    case summarised.group_name
        when 'bullish' then base_rates.bullish
        when 'neutral' then base_rates.neutral
        when 'bearish' then base_rates.bearish
    end as base_rate,
    summarised.mean_excess_over_market,
    summarised.median_excess_over_market,
    summarised.hit_rate_over_bitcoin,
    summarised.worst_decile_share
from summarised
inner join base_rates on summarised.month = base_rates.month and summarised.call_origin = base_rates.call_origin
