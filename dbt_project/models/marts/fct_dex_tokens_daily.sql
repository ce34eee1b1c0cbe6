-- Closes in the pools that are followed, of the token they trade, named by its contract as fct_pools_daily names one that CoinGecko does
-- not know (which it says by day: is_known_token). The pool with the most trade of the day speaks. A day without a trade has no candle;
-- the close is carried at most three days, as fct_daily does, and nothing was traded then.
with pools as (
    -- What a pool trades never changes.
    select
        pool_id,
        min(network) as network,
        min(base_token_address) as base_token_address
    from {{ ref('stg_geckoterminal__pools') }}
    where base_token_address is not null
    group by pool_id
),

candles as (
    select
        'geckoterminal:' || pools.network || '_' || pools.base_token_address as token_id,
        pools.network,
        pools.base_token_address as contract_address,
        candles.pool_id,
        candles.market_date,
        candles.close_usd,
        candles.high_usd,
        candles.low_usd,
        candles.volume_usd,
        candles.data_source,
        candles.available_at
    from {{ ref('stg_geckoterminal__pool_candles') }} as candles
    inner join pools on candles.pool_id = pools.pool_id
    where candles.market_date <= {{ last_close() }}
),

daily as (
    select
        token_id,
        market_date,
        min(network) as network,
        min(contract_address) as contract_address,
        arg_max(close_usd, row(coalesce(volume_usd, 0), pool_id)) as price_usd,
        arg_max(high_usd / close_usd, row(coalesce(volume_usd, 0), pool_id)) as high_to_close,
        arg_max(low_usd / close_usd, row(coalesce(volume_usd, 0), pool_id)) as low_to_close,
        sum(volume_usd) as volume_24h_usd,
        count(*)::integer as pools,
        any_value(data_source) as data_source,
        max(available_at) as available_at
    from candles
    group by token_id, market_date
),

followed as (
    select
        *,
        coalesce(
            lead(market_date) over (partition by token_id order by market_date), {{ last_close() }} + 1
        ) as next_date
    from daily
),

carried as (
    select
        * exclude (next_date, market_date),
        market_date as priced_date,
        unnest(range(market_date, least(next_date, market_date + 4), interval 1 day))::date as market_date
    from followed
)

select
    token_id,
    market_date,
    network,
    contract_address,
    price_usd,
    priced_date,
    market_date > priced_date as is_carried,
    case when market_date = priced_date then high_to_close end as high_to_close,
    case when market_date = priced_date then low_to_close end as low_to_close,
    case when market_date = priced_date then volume_24h_usd else 0 end as volume_24h_usd,
    case when market_date = priced_date then pools else 0 end as pools,
    data_source,
    greatest(available_at, market_date::timestamp at time zone 'UTC' + interval 1 day) as available_at
from carried
order by token_id, market_date
