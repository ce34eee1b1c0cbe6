-- Every level once more, in plain SQL: the level at the close the basket in force was bought at, times what the basket has come to since.
-- A close is the newest known one, as everywhere. Closes corrected since a level was published differ here: that is what it shows.
with targets as (
    select
        index_id,
        effective_at::date - 1 as close_date,
        token_id,
        target_weight
    from {{ source('indices', 'rebalances_current') }}
    where target_weight > 0
),

baskets as (
    select
        index_id,
        close_date,
        lead(close_date) over (partition by index_id order by close_date) as next_close_date
    from (
        select distinct
            index_id,
            close_date
        from targets
    ) as instants
),

levels as (
    select
        index_id,
        date,
        level
    from {{ source('indices', 'levels_current') }}
    where level is not null
),

days as (
    select
        baskets.index_id,
        baskets.close_date,
        levels.date,
        levels.level,
        bought.level as level_bought
    from baskets
    inner join levels as bought
        on baskets.index_id = bought.index_id and baskets.close_date = bought.date
    inner join levels
        on
            baskets.index_id = levels.index_id
            and baskets.close_date < levels.date
            and (baskets.next_close_date is null or baskets.next_close_date >= levels.date)
),

closes as (
    select
        token_id,
        market_date,
        price_usd
    from {{ ref('fct_daily') }}
    where not is_carried and price_usd > 0
),

bought as (
    select
        targets.index_id,
        targets.close_date,
        targets.token_id,
        targets.target_weight,
        closes.price_usd
    from targets
    asof inner join
        closes
        on targets.token_id = closes.token_id and targets.close_date >= closes.market_date
),

held as (
    select
        days.index_id,
        days.date,
        days.level,
        days.level_bought,
        bought.token_id,
        bought.target_weight / bought.price_usd as units
    from days
    inner join bought
        on days.index_id = bought.index_id and days.close_date = bought.close_date
)

select
    held.date,
    held.index_id,
    any_value(held.level) as level,
    any_value(held.level_bought) * sum(held.units * closes.price_usd) as level_recalculated,
    any_value(held.level_bought) * sum(held.units * closes.price_usd) / any_value(held.level) - 1 as relative_difference
from held
asof inner join
    closes
    on held.token_id = closes.token_id and held.date >= closes.market_date
group by held.date, held.index_id
