-- What the schedules release on each of the ninety days after the newest one: cliffs and steps on their day, linear releases by the part of
-- them that lies on the day. Shares are of the supply in circulation on the newest day, which later releases make larger.
{%- set days_ahead = 90 %}
with releases as (
    select
        token_id,
        protocol,
        section,
        category,
        unlock_type,
        amount_tokens,
        is_forecast,
        is_hindsight,
        has_unknown_parts,
        timezone('UTC', starts_at) as starts_at,
        timezone('UTC', coalesce(ends_at, starts_at)) as ends_at
    from {{ ref('int_unlock_releases') }}
),

ahead as (
    select
        token_id,
        protocol,
        section,
        category,
        unlock_type,
        amount_tokens,
        is_forecast,
        is_hindsight,
        has_unknown_parts,
        starts_at,
        ends_at,
        unnest(
            range(
                greatest(starts_at::date, {{ last_close() }} + 1),
                -- A linear release that ends at midnight has nothing left on the day that begins then.
                least(
                    case when unlock_type = 'linear' then (ends_at - interval 1 microsecond)::date else starts_at::date end,
                    {{ last_close() }} + {{ days_ahead }}
                ) + 1,
                interval 1 day
            )
        )::date as release_date
    from releases
),

released as (
    select
        token_id,
        protocol,
        section,
        category,
        unlock_type,
        release_date,
        is_forecast,
        is_hindsight,
        has_unknown_parts,
        case
            when unlock_type != 'linear' then amount_tokens
            else amount_tokens * (
                epoch(least(ends_at, release_date + interval 1 day)) - epoch(greatest(starts_at, release_date::timestamp))
            ) / (epoch(ends_at) - epoch(starts_at))
        end as tokens
    from ahead
),

newest as (
    select
        token_id,
        price_usd,
        market_cap_usd / price_usd as circulating_tokens
    from {{ ref('fct_daily') }}
    where market_date = {{ last_close() }}
)

select
    released.token_id,
    released.protocol,
    released.section,
    released.unlock_type,
    released.release_date,
    max(released.category) as category,
    sum(released.tokens) as unlock_tokens,
    sum(released.tokens) / max(newest.circulating_tokens) as supply_share,
    sum(released.tokens) * max(newest.price_usd) as unlock_usd,
    bool_or(released.is_forecast) as is_forecast,
    bool_or(released.is_hindsight) as is_hindsight,
    bool_or(released.has_unknown_parts) as has_unknown_parts,
    {{ last_close() }} as as_of_date
from released
left join newest on released.token_id = newest.token_id
group by
    released.token_id,
    released.protocol,
    released.section,
    released.unlock_type,
    released.release_date
order by
    released.token_id,
    released.release_date,
    released.unlock_type,
    released.protocol,
    released.section
