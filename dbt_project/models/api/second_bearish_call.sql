-- Tokens whose call turned bearish for the second time within a week, on any day of the record; is_recent marks those of the last week.
with flips as (
    select
        token_id,
        market_date,
        p_bearish,
        lag(market_date) over (
            partition by token_id
            order by market_date
        ) as first_call_date
    from {{ source('versioned', 'daily_signals_current') }}
    where signal = -1 and signal_since_date = market_date
),

newest as (
    select max(market_date) as market_date
    from {{ source('versioned', 'daily_signals_current') }}
)

select
    flips.market_date as second_call_date,
    flips.token_id,
    tokens.symbol,
    flips.first_call_date,
    flips.p_bearish,
    at_call.price_usd as price_at_call_usd,
    later.price_usd / at_call.price_usd - 1 as return_14d_after,
    flips.market_date > newest.market_date - 7 as is_recent
from flips
cross join newest
inner join {{ ref('dim_tokens') }} as tokens on flips.token_id = tokens.token_id and tokens.is_current
left join {{ ref('fct_daily') }} as at_call
    on flips.token_id = at_call.token_id and flips.market_date = at_call.market_date
left join {{ ref('fct_daily') }} as later
    on flips.token_id = later.token_id and flips.market_date + 14 = later.market_date
where flips.market_date - flips.first_call_date <= 7
