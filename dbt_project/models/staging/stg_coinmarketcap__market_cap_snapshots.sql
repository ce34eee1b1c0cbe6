select
    rank,
    name,
    upper(symbol) as symbol,
    market_date,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    circulating_supply_tokens,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coinmarketcap__market_cap_snapshots') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['name', 'symbol', 'market_date']) }}
