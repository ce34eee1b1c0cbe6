select
    query,
    market_date,
    tone,
    articles,
    article_share,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'gdelt__tone_daily') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['query', 'market_date']) }}
