-- One row a token and day: the first source that has the day, in the order CoinGecko, CoinMarketCap, Coinbase, Binance.
with quotes as (
    select
        coin_id as token_id,
        coin_id as market_id,
        market_date,
        price_usd,
        nullif(market_cap_usd, 0) as market_cap_usd,
        nullif(volume_24h_usd, 0) as volume_24h_usd,
        source as price_source,
        data_source,
        available_at,
        0 as source_order
    from {{ ref('stg_coingecko__market_daily') }}
    where price_usd > 0
    union all
    select
        token_id,
        market_id,
        market_date,
        close_usd as price_usd,
        nullif(market_cap_usd, 0) as market_cap_usd,
        nullif(volume_24h_usd, 0) as volume_24h_usd,
        source as price_source,
        data_source,
        available_at,
        case source when 'coinmarketcap' then 1 when 'coinbase' then 2 else 3 end as source_order
    from {{ ref('int_closes_resolved') }}
)

select
    token_id,
    market_date,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    price_source,
    data_source,
    available_at
from quotes
-- Two markets of one source may be the same token (an old and a new ticker): the first by name, so that a rebuild agrees.
qualify row_number() over (partition by token_id, market_date order by source_order, price_source, market_id) = 1
