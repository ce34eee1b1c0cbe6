-- Closes of every exchange market in one shape, one market a symbol and exchange: dollars first, then Tether.
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
    from {{ ref('stg_binance__candles_daily') }}
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
    from {{ ref('stg_coinbase__candles_daily') }}
)

select
    source,
    market_id,
    symbol,
    market_date,
    close_usd,
    volume_24h_usd,
    data_source,
    available_at
from candles
-- Tether and USD Coin count as dollars here: their own deviation is below the tolerance of every use.
where quote in ('USD', 'USDT', 'USDC')
qualify row_number() over (
    partition by source, coalesce(symbol, market_id), market_date
    order by case quote when 'USD' then 0 when 'USDT' then 1 else 2 end, market_id
) = 1
