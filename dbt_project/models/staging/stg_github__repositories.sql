select
    repository,
    coin_id,
    market_date,
    stars,
    forks,
    watchers,
    open_issues,
    is_archived,
    is_fork,
    is_gone,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'github__repositories') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['repository', 'market_date']) }}
