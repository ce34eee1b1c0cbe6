select
    protocol_id,
    coin_id,
    metric,
    market_date,
    value,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__protocol_metrics') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['protocol_id', 'metric', 'market_date']) }}
