select
    feed,
    lower(asset) as asset,
    market_date,
    metric,
    value,
    status,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coinmetrics__asset_metrics') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['feed', 'asset', 'market_date', 'metric']) }}
