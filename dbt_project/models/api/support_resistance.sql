-- Swing highs and lows of 180 days (fct_price_swings) around the close of each Sunday: the nearest below is support, the nearest above
-- resistance, whichever kind of swing it was, for a broken high is held to support and a broken low to resist. Distances are in average
-- true ranges, taken between closes (average_move_14d) since no source gives daily highs and lows of every token. Groups carry as_of_week,
-- so that who asks for a week waits for that week alone.
{%- set reach_days = 180 %}
with weeks as (
    select
        universe.token_id,
        universe.market_date,
        universe.market_date + 1 as as_of_week,
        universe.price_usd,
        risk.average_move_14d * universe.price_usd as average_move_usd
    from {{ ref('fct_universe_daily') }} as universe
    inner join {{ ref('fct_risk_daily') }} as risk
        on universe.token_id = risk.token_id and universe.market_date = risk.market_date
    where universe.is_broad and isodow(universe.market_date) = 7
),

swings as (
    select
        weeks.token_id,
        weeks.as_of_week,
        weeks.price_usd,
        weeks.average_move_usd,
        levels.price_usd as level_usd,
        levels.swing_date,
        levels.kind
    from weeks
    left join {{ ref('fct_price_swings') }} as levels
        on
            weeks.token_id = levels.token_id
            and weeks.market_date >= levels.market_date
            and weeks.market_date - {{ reach_days }} < levels.swing_date
),

nearest as (
    select
        token_id,
        as_of_week,
        price_usd,
        average_move_usd,
        level_usd,
        swing_date,
        kind,
        max(level_usd) filter (where level_usd < price_usd) over (partition by token_id, as_of_week) as support_usd,
        min(level_usd) filter (where level_usd > price_usd) over (partition by token_id, as_of_week) as resistance_usd
    from swings
),

levels as (
    select
        token_id,
        as_of_week,
        any_value(price_usd) as price_usd,
        any_value(average_move_usd) as average_move_usd,
        any_value(support_usd) as support_usd,
        max(swing_date) filter (where level_usd = support_usd) as support_date,
        arg_max(kind, swing_date) filter (where level_usd = support_usd) as support_kind,
        count(*) filter (where abs(level_usd - support_usd) <= average_move_usd / 2) as support_swings,
        any_value(resistance_usd) as resistance_usd,
        max(swing_date) filter (where level_usd = resistance_usd) as resistance_date,
        arg_max(kind, swing_date) filter (where level_usd = resistance_usd) as resistance_kind,
        count(*) filter (where abs(level_usd - resistance_usd) <= average_move_usd / 2) as resistance_swings,
        count(level_usd) as swings
    from nearest
    group by token_id, as_of_week
)

select
    as_of_week,
    token_id,
    price_usd,
    average_move_usd,
    support_usd,
    support_date,
    support_kind,
    1 - support_usd / price_usd as support_distance,
    (price_usd - support_usd) / nullif(average_move_usd, 0) as support_distance_atr,
    nullif(support_swings, 0)::integer as support_swings,
    resistance_usd,
    resistance_date,
    resistance_kind,
    resistance_usd / price_usd - 1 as resistance_distance,
    (resistance_usd - price_usd) / nullif(average_move_usd, 0) as resistance_distance_atr,
    nullif(resistance_swings, 0)::integer as resistance_swings,
    swings::integer as swings
from levels
