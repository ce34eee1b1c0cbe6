-- Tokens that a token's schedules release within the next thirty days, as the schedules stood on each day. Rows begin with the first
-- dated reading of a schedule and the token's first price; a schedule without a release ahead has zeros, which is knowledge and not a gap.
with readings as (
    select
        coin_id as token_id,
        protocol,
        section,
        starts_at,
        unlock_type,
        position,
        ends_at,
        amount_tokens,
        is_withdrawn,
        {{ known_date() }} as from_date,
        coalesce(
            lead({{ known_date() }}) over (
                partition by protocol, section, starts_at, unlock_type, position
                order by available_at
            ),
            {{ last_close() }} + 1
        ) as until_date
    from {{ ref('stg_defillama__unlock_events') }}
),

valid as (
    select
        token_id,
        unlock_type,
        starts_at,
        ends_at,
        amount_tokens,
        from_date,
        until_date
    from readings
    where token_id is not null and not is_withdrawn and until_date > from_date
),

ahead as (
    -- Only days on which some of the release lies within the next thirty.
    select
        token_id,
        unlock_type,
        starts_at,
        ends_at,
        amount_tokens,
        unnest(
            range(
                greatest(from_date, starts_at::date - 31),
                least(until_date, coalesce(ends_at, starts_at)::date + 1),
                interval 1 day
            )
        )::date as market_date
    from valid
),

windows as (
    select
        token_id,
        unlock_type,
        starts_at,
        ends_at,
        amount_tokens,
        market_date,
        (market_date + 1)::timestamp at time zone 'UTC' as window_start_at,
        (market_date + 31)::timestamp at time zone 'UTC' as window_end_at
    from ahead
),

released as (
    select
        token_id,
        market_date,
        case
            when unlock_type = 'cliff' and starts_at >= window_start_at and starts_at < window_end_at then amount_tokens
        end as cliff_tokens,
        case
            when unlock_type = 'linear'
                then amount_tokens * greatest(
                    epoch(least(ends_at, window_end_at)) - epoch(greatest(starts_at, window_start_at)), 0
                ) / (epoch(ends_at) - epoch(starts_at))
        end as linear_tokens
    from windows
),

sums as (
    select
        token_id,
        market_date,
        sum(cliff_tokens) as cliff_tokens,
        sum(linear_tokens) as linear_tokens
    from released
    group by token_id, market_date
),

known_days as (
    select
        token_id,
        unnest(range(min(from_date), {{ last_close() }} + 1, interval 1 day))::date as market_date
    from readings
    where token_id is not null
    group by token_id
)

select
    known_days.token_id,
    known_days.market_date,
    coalesce(sums.cliff_tokens, 0) as cliff_unlock_30d_tokens,
    coalesce(sums.linear_tokens, 0) as linear_unlock_30d_tokens,
    (known_days.market_date + 1)::timestamp at time zone 'UTC' as available_at
from known_days
inner join {{ first_prices() }} as priced on known_days.token_id = priced.token_id and known_days.market_date >= priced.first_date
left join sums
    on known_days.token_id = sums.token_id and known_days.market_date = sums.market_date
order by known_days.token_id, known_days.market_date
