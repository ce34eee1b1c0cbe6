select
    chain,
    coin_id,
    market_date,
    tvl_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__chain_tvl') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['chain', 'market_date']) }}
