select
    coin_id,
    upper(symbol) as symbol,
    market_date,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coingecko__market_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['coin_id', 'market_date']) }}
