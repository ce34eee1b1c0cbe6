select
    market_date,
    value as fear_greed,
    classification,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'alternative_me__fear_greed') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['market_date']) }}
