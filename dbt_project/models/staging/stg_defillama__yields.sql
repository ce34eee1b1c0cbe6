select
    pool_id,
    project,
    chain,
    symbol,
    market_date,
    tvl_usd,
    apy_base,
    apy_reward,
    is_stablecoin,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__yields') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['pool_id', 'market_date']) }}
