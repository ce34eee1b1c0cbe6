select
    market_id,
    upper(symbol) as symbol,
    market_date,
    hour,
    close_quote,
    multiplier,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'binance__prices_hourly') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['market_id', 'market_date', 'hour']) }}
