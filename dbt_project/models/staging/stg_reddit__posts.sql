select
    subreddit,
    post_id,
    coin_id,
    market_date,
    posted_at,
    title,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'reddit__posts') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['subreddit', 'post_id']) }}
