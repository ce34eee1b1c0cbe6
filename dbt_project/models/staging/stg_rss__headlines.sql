select
    feed,
    article_id,
    market_date,
    published_at,
    title,
    url,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'rss__headlines') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['feed', 'article_id']) }}
