-- What the schedules release in the month of the newest day and in each of the twelve after it, whole months, cliffs, steps and linear
-- releases apart.
{%- set months_ahead = 12 %}
{%- set first_month = "date_trunc('month', " ~ last_close() ~ ")" %}
with months as (
    select unnest(range({{ first_month }}, {{ first_month }} + interval {{ months_ahead + 1 }} month, interval 1 month))::date as month_date
),

releases as (
    select
        token_id,
        unlock_type,
        amount_tokens,
        is_hindsight,
        timezone('UTC', starts_at) as starts_at,
        timezone('UTC', coalesce(ends_at, starts_at)) as ends_at
    from {{ ref('int_unlock_releases') }}
),

released as (
    select
        releases.token_id,
        months.month_date,
        releases.unlock_type,
        releases.is_hindsight,
        case
            when releases.unlock_type != 'linear' then releases.amount_tokens
            else releases.amount_tokens * (
                epoch(least(releases.ends_at, months.month_date + interval 1 month))
                - epoch(greatest(releases.starts_at, months.month_date::timestamp))
            ) / (epoch(releases.ends_at) - epoch(releases.starts_at))
        end as tokens
    from releases
    inner join months
        on
            releases.starts_at < months.month_date + interval 1 month
            and (
                releases.starts_at >= months.month_date
                or (releases.unlock_type = 'linear' and releases.ends_at > months.month_date)
            )
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
    released.month_date,
    coalesce(sum(released.tokens) filter (released.unlock_type = 'cliff'), 0) as cliff_unlock_tokens,
    coalesce(sum(released.tokens) filter (released.unlock_type = 'step'), 0) as step_unlock_tokens,
    coalesce(sum(released.tokens) filter (released.unlock_type = 'linear'), 0) as linear_unlock_tokens,
    sum(released.tokens) as unlock_tokens,
    sum(released.tokens) / max(newest.circulating_tokens) as supply_share,
    sum(released.tokens) * max(newest.price_usd) as unlock_usd,
    bool_or(released.is_hindsight) as is_hindsight,
    {{ last_close() }} as as_of_date
from released
left join newest on released.token_id = newest.token_id
group by released.token_id, released.month_date
order by released.token_id, released.month_date
