select
    market_id,
    upper(symbol) as symbol,
    name,
    market_date,
    open_quote as open_usd,
    high_quote as high_usd,
    low_quote as low_usd,
    close_quote as close_usd,
    volume_quote as volume_24h_usd,
    market_cap_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coinmarketcap__candles_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['market_id', 'market_date']) }}
