-- Use of a token's protocols and of its chain, from its first price on. Rows of a protocol family count once: only those that stand for a
-- coin land.
with metrics as (
    select
        coin_id as token_id,
        protocol_id as part,
        metric,
        market_date,
        value,
        available_at
    from {{ ref('stg_defillama__protocol_metrics') }}
    where coin_id is not null and metric in ('tvl_usd', 'fees_usd', 'revenue_usd', 'dex_volume_usd')
    union all
    select
        coin_id as token_id,
        chain as part,
        'chain_tvl_usd' as metric,
        market_date,
        tvl_usd as value,
        available_at
    from {{ ref('stg_defillama__chain_tvl') }}
    where coin_id is not null
),

followed as (
    select
        token_id,
        part,
        metric,
        market_date,
        value,
        available_at,
        coalesce(
            lead(market_date) over (partition by token_id, part, metric order by market_date),
            {{ last_close() }} + 1
        ) as next_date
    from metrics
),

carried as (
    -- A level that one of several protocols misses for up to three days must not make the sum fall; flows are of their day only.
    select
        token_id,
        metric,
        value,
        available_at,
        market_date as metric_date,
        unnest(
            range(
                market_date,
                case when metric like '%tvl_usd' then least(next_date, market_date + 4) else market_date + 1 end,
                interval 1 day
            )
        )::date as market_date
    from followed
)

select
    carried.token_id,
    carried.market_date,
    sum(carried.value) filter (where carried.metric = 'tvl_usd') as protocol_tvl_usd,
    sum(carried.value) filter (where carried.metric = 'chain_tvl_usd') as chain_tvl_usd,
    sum(carried.value) filter (where carried.metric = 'fees_usd') as fees_usd,
    sum(carried.value) filter (where carried.metric = 'revenue_usd') as revenue_usd,
    sum(carried.value) filter (where carried.metric = 'dex_volume_usd') as dex_volume_usd,
    -- A value that is carried on would have been known as late as one of its own day.
    max(carried.available_at + (carried.market_date - carried.metric_date) * interval 1 day) as available_at
from carried
inner join {{ first_prices() }} as priced on carried.token_id = priced.token_id and carried.market_date >= priced.first_date
group by carried.token_id, carried.market_date
order by carried.token_id, carried.market_date
