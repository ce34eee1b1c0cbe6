-- Funding and open interest of a token's perpetuals over all exchanges.
with funding as (
    select
        source,
        market_id,
        symbol,
        market_date,
        -- Intervals of 1 and 4 hours exist; an unknown one is the usual 8.
        funding_rate * 8 / coalesce(interval_hours, 8) as funding_rate_8h,
        available_at
    from {{ ref('stg_exchanges__funding_rates') }}
),

interest as (
    select
        source,
        market_id,
        symbol,
        market_date,
        open_interest_usd,
        available_at,
        coalesce(
            lead(market_date) over (partition by source, market_id order by market_date),
            {{ last_close() }} + 1
        ) as next_date
    from {{ ref('stg_exchanges__open_interest') }}
),

carried as (
    -- A venue that misses up to three days must not make the sum fall and rise again.
    select
        source,
        market_id,
        symbol,
        unnest(range(market_date, least(next_date, market_date + 4), interval 1 day))::date as market_date,
        open_interest_usd,
        available_at
    from interest
),

markets as (
    select
        source,
        market_id,
        symbol,
        market_date,
        funding_rate_8h,
        null::double as open_interest_usd,
        available_at
    from funding
    union all
    select
        source,
        market_id,
        symbol,
        market_date,
        null::double as funding_rate_8h,
        open_interest_usd,
        greatest(available_at, (market_date + 1)::timestamp at time zone 'UTC') as available_at
    from carried
),

linked as (
    select
        links.token_id,
        markets.source,
        markets.market_date,
        markets.funding_rate_8h,
        markets.open_interest_usd,
        markets.available_at
    from markets
    asof inner join {{ ref('int_perpetuals_linked') }} as links
        on
            markets.source = links.source
            and markets.symbol = links.symbol
            and markets.market_date >= links.linked_date
)

select
    token_id,
    market_date,
    avg(funding_rate_8h) as funding_rate_8h,
    sum(open_interest_usd) as open_interest_usd,
    (count(distinct source) filter (where open_interest_usd is not null))::integer as open_interest_venues,
    max(available_at) as available_at
from linked
group by token_id, market_date
order by token_id, market_date
