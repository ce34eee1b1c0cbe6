-- Calendar days between a token's first and last price; a missing or held-back price is carried at most three days, flagged.
with kept as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        price_source,
        data_source,
        available_at
    from {{ ref('int_daily_screened') }}
    where not is_bad_tick
),

followed as (
    select
        token_id,
        market_date,
        price_usd,
        market_cap_usd,
        volume_24h_usd,
        price_source,
        data_source,
        available_at,
        coalesce(
            lead(market_date) over (partition by token_id order by market_date),
            -- after the last price, as far as the day before as_of
            timezone('UTC', {{ as_of() }})::date
        ) as next_date
    from kept
),

carried as (
    select
        token_id,
        price_usd,
        market_cap_usd,
        price_source,
        data_source,
        available_at,
        volume_24h_usd,
        market_date as priced_date,
        unnest(range(market_date, least(next_date, market_date + 4), interval 1 day))::date as market_date
    from followed
)

select
    token_id,
    market_date,
    price_usd,
    market_cap_usd,
    case when market_date = priced_date then volume_24h_usd end as volume_24h_usd,
    price_source,
    data_source,
    market_date > priced_date as is_carried,
    priced_date,
    min(market_date) over (partition by token_id) as first_date,
    greatest(available_at, market_date::timestamp at time zone 'UTC' + interval 1 day) as available_at
from carried
order by token_id, market_date
