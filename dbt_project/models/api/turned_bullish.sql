-- Tokens whose call turned bullish at one of the last three closes and is bullish still.
with calls as (
    select
        token_id,
        market_date,
        signal,
        signal_since_date,
        p_bullish
    from {{ source('versioned', 'daily_signals_current') }}
    where market_date >= (select max(newest.market_date) from {{ source('versioned', 'daily_signals_current') }} as newest)
)

select
    calls.market_date as date,
    calls.token_id,
    tokens.symbol,
    tokens.sector,
    calls.signal_since_date as turned_date,
    calls.p_bullish,
    grades.trader_grade,
    at_turn.price_usd as price_at_turn_usd,
    universe.price_usd,
    universe.price_usd / at_turn.price_usd - 1 as return_since_turn,
    universe.market_cap_usd
from calls
inner join {{ ref('dim_tokens') }} as tokens on calls.token_id = tokens.token_id and tokens.is_current
inner join {{ ref('fct_universe_daily') }} as universe
    on calls.token_id = universe.token_id and calls.market_date = universe.market_date
left join {{ ref('fct_daily') }} as at_turn
    on calls.token_id = at_turn.token_id and calls.signal_since_date = at_turn.market_date
left join {{ source('versioned', 'daily_grades_current') }} as grades
    on calls.token_id = grades.token_id and calls.market_date = grades.market_date
where calls.signal = 1 and calls.market_date - calls.signal_since_date < 3
