-- The twenty tokens whose Trader Grade rose most in a week up to the newest day, and the twenty whose grade fell most.
{%- set shown = 20 %}
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
),

moved as (
    select
        newest.token_id,
        newest.market_date,
        newest.trader_grade,
        newest.investor_grade,
        newest.trader_grade - week_before.trader_grade as trader_grade_change_7d,
        newest.investor_grade - week_before.investor_grade as investor_grade_change_7d
    from newest
    inner join grades as week_before
        on newest.token_id = week_before.token_id and newest.market_date = week_before.market_date + 7
    where newest.trader_grade is not null and week_before.trader_grade is not null
),

ranked as (
    select
        *,
        case when trader_grade_change_7d > 0 then 'up' else 'down' end as direction,
        row_number() over (
            partition by trader_grade_change_7d > 0
            order by abs(trader_grade_change_7d) desc, token_id asc
        ) as rank
    from moved
    where trader_grade_change_7d != 0
)

select
    ranked.direction,
    ranked.rank::integer as rank,
    ranked.market_date as date,
    ranked.token_id,
    tokens.symbol,
    ranked.trader_grade,
    ranked.trader_grade_change_7d,
    ranked.investor_grade,
    ranked.investor_grade_change_7d,
    universe.price_usd,
    universe.market_cap_usd
from ranked
inner join {{ ref('dim_tokens') }} as tokens on ranked.token_id = tokens.token_id and tokens.is_current
inner join {{ ref('fct_universe_daily') }} as universe
    on ranked.token_id = universe.token_id and ranked.market_date = universe.market_date
where ranked.rank <= {{ shown }}
