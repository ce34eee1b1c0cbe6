-- Tokens whose Trader Grade is above 80 on the newest day with grades.
with grades as (
    select
        token_id,
        market_date,
        trader_grade,
        investor_grade
    from {{ source('versioned', 'daily_grades_current') }}
    where market_date >= (select max(newest.market_date) - 7 from {{ source('versioned', 'daily_grades_current') }} as newest)
),

newest as (
    select
        token_id,
        market_date,
        trader_grade,
        investor_grade
    from grades
    qualify market_date = max(market_date) over ()
)

select
    newest.market_date as date,
    newest.token_id,
    tokens.symbol,
    tokens.sector,
    newest.trader_grade,
    newest.trader_grade - week_before.trader_grade as trader_grade_change_7d,
    newest.investor_grade,
    signals.signal,
    signals.signal_since_date,
    universe.price_usd,
    universe.market_cap_usd
from newest
inner join {{ ref('dim_tokens') }} as tokens on newest.token_id = tokens.token_id and tokens.is_current
inner join {{ ref('fct_universe_daily') }} as universe
    on newest.token_id = universe.token_id and newest.market_date = universe.market_date
left join grades as week_before
    on newest.token_id = week_before.token_id and newest.market_date = week_before.market_date + 7
left join {{ source('versioned', 'daily_signals_current') }} as signals
    on newest.token_id = signals.token_id and newest.market_date = signals.market_date
where newest.trader_grade > 80
