-- A flip is the first day of a run of equal calls, and bullish or bearish either before or after: what a follower would have acted on.
with calls as (
    select
        token_id,
        market_date,
        signal,
        signal_since_date,
        lag(signal) over (partition by token_id order by market_date) as previous_signal,
        lag(signal_since_date) over (partition by token_id order by market_date) as previous_since_date,
        lead(market_date) over (partition by token_id order by market_date) as next_date
    from {{ source('versioned', 'daily_signals_current') }}
),

flips as (
    select
        token_id,
        market_date,
        signal,
        coalesce(previous_signal, 0) as previous_signal,
        previous_since_date,
        lead(market_date) over (partition by token_id order by market_date) as ended_date
    from calls
    where signal_since_date = market_date and signal != coalesce(previous_signal, 0)
),

closes as (
    select
        token_id,
        market_date,
        price_usd
    from {{ ref('fct_daily') }}
),

newest as (
    select
        token_id,
        max(market_date) as market_date
    from calls
    group by token_id
)

select
    flips.token_id,
    flips.market_date as flip_date,
    flips.previous_signal,
    flips.signal,
    at_flip.price_usd as flip_price_usd,
    flips.ended_date,
    at_end.price_usd / at_flip.price_usd - 1 as return_of_run
from flips
inner join newest on flips.token_id = newest.token_id
left join closes as at_flip on flips.token_id = at_flip.token_id and flips.market_date = at_flip.market_date
left join closes as at_end
    on
        flips.token_id = at_end.token_id
        and coalesce(flips.ended_date, newest.market_date) = at_end.market_date
