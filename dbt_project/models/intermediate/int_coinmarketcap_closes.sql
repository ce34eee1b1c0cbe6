{{ config(materialized="incremental") }}
-- CoinMarketCap's closes, each coin once.
select
    closes.source,
    closes.market_id,
    closes.symbol,
    closes.name,
    closes.market_date,
    closes.close_usd,
    closes.market_cap_usd,
    closes.volume_24h_usd,
    closes.data_source,
    closes.available_at
from {{ ref('stg_coinmarketcap__candles_daily') }} as closes
left join {{ ref('int_coinmarketcap_doubles') }} as doubles on closes.market_id = doubles.market_id
where
    closes.close_usd > 0
    and (doubles.doubled_date is null or closes.market_date < doubles.doubled_date)
    and {{ in_rebuilt_days(column='closes.market_date') }}
