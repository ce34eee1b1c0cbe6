-- Changes are against the close one and seven days before, null where the token had no grade then. Momentum: where the token's returns of
-- 7, 30 and 90 days stand among the universe of the day, on average.
with grades as (
    select
        market_date,
        token_id,
        trader_grade,
        trader_rank,
        investor_grade,
        investor_rank,
        trader_score,
        investor_score,
        as_of_week,
        version,
        origin
    from {{ source('versioned', 'daily_grades_current') }}
),

returns as (
    select
        token_id,
        market_date,
        return_7d,
        return_30d,
        return_90d
    from {{ ref('feat_token_daily') }}
),

ranked as (
    select
        grades.market_date,
        grades.token_id,
        100 * (
            percent_rank() over (partition by grades.market_date order by returns.return_7d)
            + percent_rank() over (partition by grades.market_date order by returns.return_30d)
            + percent_rank() over (partition by grades.market_date order by returns.return_90d)
        ) / 3 as momentum_score
    from grades
    inner join returns on grades.token_id = returns.token_id and grades.market_date = returns.market_date
    where returns.return_7d is not null and returns.return_30d is not null and returns.return_90d is not null
)

select
    grades.market_date,
    grades.token_id,
    grades.trader_grade,
    grades.trader_grade - day_before.trader_grade as trader_grade_change_1d,
    grades.trader_grade - week_before.trader_grade as trader_grade_change_7d,
    grades.trader_rank,
    grades.investor_grade,
    grades.investor_grade - day_before.investor_grade as investor_grade_change_1d,
    grades.investor_grade - week_before.investor_grade as investor_grade_change_7d,
    grades.investor_rank,
    ranked.momentum_score,
    ranked.momentum_score - ranked_before.momentum_score as momentum_score_change_7d,
    grades.trader_score,
    grades.investor_score,
    grades.as_of_week,
    grades.version,
    grades.origin
from grades
left join grades as day_before
    on grades.token_id = day_before.token_id and grades.market_date = day_before.market_date + 1
left join grades as week_before
    on grades.token_id = week_before.token_id and grades.market_date = week_before.market_date + 7
left join ranked on grades.token_id = ranked.token_id and grades.market_date = ranked.market_date
left join ranked as ranked_before
    on grades.token_id = ranked_before.token_id and grades.market_date = ranked_before.market_date + 7
