select
    market_date,
    market_cap_usd,
    volume_24h_usd,
    btc_dominance,
    eth_dominance,
    active_coins,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coingecko__global_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['market_date']) }}
