{{ config(materialized="incremental") }}
-- Tokens that came to be priced and tokens whose prices stopped, each on the day it was known. A price that stops is known to have stopped
-- when none has come for 14 days. Sources come and go, too: a day on which many tokens come or stop at once tells of a source and not of
-- the market, and is marked.
{%- set silent_days = 14 %}
{%- set recently_days = 90 %}
with days as (
    select
        token_id,
        market_date,
        first_date,
        available_at
    from {{ ref('fct_daily') }}
    where not is_carried and {{ in_rebuilt_days(days_before=silent_days) }}
),

counted as (
    select
        market_date,
        count(*) as tokens,
        max(available_at) as available_at
    from days
    group by market_date
),

lasting as (
    select
        token_id,
        market_date,
        lead(market_date) over (
            partition by token_id
            order by market_date
        ) as next_date
    from days
),

stops as (
    select
        token_id,
        market_date as last_priced_date,
        market_date + {{ silent_days }} as market_date
    from lasting
    where
        coalesce(next_date > market_date + {{ silent_days }}, true)
        -- Of the newest days nobody knows yet.
        and market_date + {{ silent_days }} <= {{ last_close() }}
        and {{ in_rebuilt_days(column='market_date + ' ~ silent_days) }}
),

lost as (
    select distinct
        stops.token_id,
        stops.market_date
    from stops
    inner join {{ ref('fct_universe_daily') }} as universe
        on
            stops.token_id = universe.token_id
            and universe.is_broad
            and universe.market_date between stops.last_priced_date - {{ recently_days }} and stops.last_priced_date
),

events as (
    select
        token_id,
        market_date,
        market_date as counted_date,
        'listed' as event,
        null::date as last_priced_date,
        null::boolean as was_broad
    from days
    where market_date = first_date and {{ in_rebuilt_days() }}
    union all
    select
        stops.token_id,
        stops.market_date,
        stops.last_priced_date as counted_date,
        'stopped' as event,
        stops.last_priced_date,
        lost.token_id is not null as was_broad
    from stops
    left join lost on stops.token_id = lost.token_id and stops.market_date = lost.market_date
),

judged as (
    select
        events.token_id,
        events.market_date,
        events.event,
        events.last_priced_date,
        events.was_broad,
        count(*) over (partition by events.event, events.market_date) as events_of_day,
        counted.tokens,
        counted.available_at
    from events
    inner join counted on events.counted_date = counted.market_date
)

select
    token_id,
    market_date,
    event,
    last_priced_date,
    was_broad,
    events_of_day >= 10 and events_of_day > 0.02 * tokens as is_coverage_break,
    case when event = 'listed' then available_at else (market_date + 1)::timestamp at time zone 'UTC' end as available_at
from judged
order by market_date, token_id, event
