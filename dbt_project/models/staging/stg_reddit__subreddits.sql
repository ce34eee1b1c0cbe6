select
    subreddit,
    coin_id,
    market_date,
    subscribers,
    active_users,
    posts_24h,
    comments_24h,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'reddit__subreddits') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['subreddit', 'market_date']) }}
