select
    coin_id,
    upper(symbol) as symbol,
    name,
    market_date,
    circulating_supply_tokens,
    total_supply_tokens,
    max_supply_tokens,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coingecko__markets') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['coin_id', 'market_date']) }}
