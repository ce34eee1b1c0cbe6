-- Where each sector stands against the whole market: its relative strength (chained sector return over that of the market), whether that
-- is above its own average and rising, and when it last turned. A turn is dated twice: the day relative strength was at its extreme, and
-- the day it was known, when the faster average crossed the slower one; nothing is said of a turn before. Small, so every build
-- computes it whole.
with levels as (
    select
        sectors.sector,
        sectors.market_date,
        sectors.available_at,
        sectors.return_1d,
        (sectors.market_date - date '2000-01-01')::integer as day_number,
        sectors.index_level / market.market_index_level as relative_level
    from {{ ref('fct_sectors_daily') }} as sectors
    inner join {{ ref('fct_market_daily') }} as market on sectors.market_date = market.market_date
),

averaged as (
    select
        sector,
        market_date,
        day_number,
        available_at,
        relative_level,
        -- Days without a return of the sector leave the level where it is; too many of them, and there is nothing to average.
        case when count(return_1d) over last_14 >= 12 then avg(relative_level) over last_14 end as fast_level,
        case when count(return_1d) over last_60 >= 50 then avg(relative_level) over last_60 end as slow_level
    from levels
    window
        last_14 as (
            partition by sector
            order by day_number
            range between 13 preceding and current row
        ),
        last_60 as (
            partition by sector
            order by day_number
            range between 59 preceding and current row
        )
),

placed as (
    select
        sector,
        market_date,
        day_number,
        available_at,
        relative_level,
        fast_level / slow_level - 1 as relative_strength,
        any_value(fast_level / slow_level - 1) over (
            partition by sector
            order by day_number
            range between 7 preceding and 7 preceding
        ) as relative_strength_week_before
    from averaged
),

sided as (
    select
        *,
        relative_strength >= 0 as is_leading_side,
        lag(relative_strength >= 0) over (
            partition by sector
            order by day_number
        ) as was_leading_side
    from placed
    where relative_strength is not null
),

legged as (
    select
        *,
        count(*) filter (where was_leading_side is distinct from is_leading_side) over (
            partition by sector
            order by day_number
            rows between unbounded preceding and current row
        ) as leg
    from sided
),

legs as (
    -- The extreme of the leg before: the low from which a leading leg came, or the high from which a lagging one did.
    select
        sector,
        leg,
        any_value(is_leading_side) as is_leading_side,
        min(market_date) as known_date,
        arg_min(market_date, relative_level) as low_date,
        arg_max(market_date, relative_level) as high_date
    from legged
    group by sector, leg
),

turns as (
    select
        legs.sector,
        legs.leg,
        legs.known_date,
        case when legs.is_leading_side then before.low_date else before.high_date end as extreme_date
    from legs
    left join legs as before on legs.sector = before.sector and legs.leg = before.leg + 1
)

select
    legged.sector,
    legged.market_date,
    legged.relative_level,
    legged.relative_strength,
    legged.relative_strength - legged.relative_strength_week_before as relative_momentum_7d,
    case
        when legged.relative_strength_week_before is null then null
        when legged.is_leading_side and legged.relative_strength >= legged.relative_strength_week_before then 'leading'
        when legged.is_leading_side then 'weakening'
        when legged.relative_strength >= legged.relative_strength_week_before then 'improving'
        else 'lagging'
    end as phase,
    case when turns.extreme_date is null then null when legged.is_leading_side then 'up' else 'down' end as turn,
    turns.extreme_date as turn_extreme_date,
    case when turns.extreme_date is not null then turns.known_date end as turn_known_date,
    legged.available_at
from legged
inner join turns on legged.sector = turns.sector and legged.leg = turns.leg
order by legged.market_date, legged.sector
