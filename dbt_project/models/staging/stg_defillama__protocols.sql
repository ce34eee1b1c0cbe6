select
    protocol_id,
    slug,
    name,
    coin_id,
    parent_id,
    category,
    market_date,
    tvl_usd,
    borrowed_usd,
    staking_usd,
    is_double_counted,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__protocols') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['protocol_id', 'market_date']) }}
