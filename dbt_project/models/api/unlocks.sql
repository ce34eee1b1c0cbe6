-- Cliffs and steps stand on their day; a linear release is told a month at a time, since a row a day would say the same ninety times.
with calendar as (
    select
        as_of_date,
        token_id,
        protocol,
        section,
        category,
        unlock_type,
        release_date,
        unlock_tokens,
        supply_share,
        unlock_usd,
        is_forecast,
        is_hindsight,
        has_unknown_parts,
        case when unlock_type = 'linear' then date_trunc('month', release_date)::date else release_date end as period_date
    from {{ ref('fct_unlock_calendar') }}
),

tokens as (
    select
        token_id,
        symbol
    from {{ ref('dim_tokens') }}
    where is_current
)

select
    calendar.as_of_date,
    calendar.token_id,
    tokens.symbol,
    calendar.protocol,
    calendar.section,
    calendar.unlock_type,
    min(calendar.release_date) as first_date,
    max(calendar.release_date) as last_date,
    max(calendar.category) as category,
    sum(calendar.unlock_tokens) as unlock_tokens,
    sum(calendar.supply_share) as supply_share,
    sum(calendar.unlock_usd) as unlock_usd,
    bool_or(calendar.is_forecast) as is_forecast,
    bool_or(calendar.is_hindsight) as is_hindsight,
    bool_or(calendar.has_unknown_parts) as has_unknown_parts
from calendar
left join tokens on calendar.token_id = tokens.token_id
group by
    calendar.as_of_date,
    calendar.token_id,
    tokens.symbol,
    calendar.protocol,
    calendar.section,
    calendar.unlock_type,
    calendar.period_date
