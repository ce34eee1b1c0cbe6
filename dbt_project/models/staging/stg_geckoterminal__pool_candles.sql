select
    pool_id,
    market_date,
    high_usd,
    low_usd,
    close_usd,
    volume_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'geckoterminal__pool_candles') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['pool_id', 'market_date']) }}
