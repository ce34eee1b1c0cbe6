select
    feed,
    repository,
    coin_id,
    market_date,
    commits,
    authors,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'github__commits_weekly') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['feed', 'repository', 'market_date']) }}
