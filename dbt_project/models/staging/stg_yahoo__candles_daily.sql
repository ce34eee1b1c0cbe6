select
    market_id,
    upper(symbol) as symbol,
    quote,
    market_date,
    open_quote,
    high_quote,
    low_quote,
    close_quote,
    volume_base,
    volume_quote,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'yahoo__candles_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['market_id', 'market_date']) }}
