select
    category_id,
    category_name,
    market_date,
    market_cap_usd,
    volume_24h_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coingecko__category_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['category_id', 'market_date']) }}
