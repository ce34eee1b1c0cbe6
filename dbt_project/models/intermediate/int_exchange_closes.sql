{{ config(materialized="incremental") }}
-- Closes of every exchange market, and of Yahoo's, in one shape, one market a symbol and source: dollars first, then Tether.
-- A market that quotes lots of tokens (1000SATS) has the symbol and the price of one token.
with candles as (
    select
        source,
        market_id,
        symbol,
        quote,
        market_date,
        close_quote as close_usd,
        volume_quote as volume_24h_usd,
        data_source,
        available_at
    from {{ ref('stg_exchanges__candles_daily') }}
    union all
    select
        source,
        market_id,
        symbol,
        quote,
        market_date,
        close_quote as close_usd,
        volume_quote as volume_24h_usd,
        data_source,
        available_at
    from {{ ref('stg_yahoo__candles_daily') }}
    union all
    select
        source,
        market_id,
        symbol,
        'USDT' as quote,
        market_date,
        close_quote / multiplier as close_usd,
        null as volume_24h_usd,
        data_source,
        available_at
    from {{ ref('stg_binance__prices_hourly') }}
    -- The close of the hour from 23:00 is the close of the day.
    where hour = 23
)

select
    source,
    market_id,
    {{ without_multiple('symbol') }} as symbol,
    market_date,
    close_usd / {{ multiple_of("coalesce(symbol, '')") }} as close_usd,
    volume_24h_usd,
    data_source,
    available_at
from candles
-- Tether and USD Coin count as dollars here: their own deviation is below the tolerance of every use.
where quote in ('USD', 'USDT', 'USDC') and {{ in_rebuilt_days() }}
qualify row_number() over (
    partition by source, coalesce(symbol, market_id), market_date
    order by case quote when 'USD' then 0 when 'USDT' then 1 else 2 end, volume_24h_usd is null, market_id
) = 1
