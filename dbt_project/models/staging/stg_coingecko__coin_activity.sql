select
    coin_id,
    market_date,
    watchlist_users,
    sentiment_up_share,
    reddit_subscribers,
    telegram_users,
    stars,
    forks,
    contributors,
    pull_requests_merged,
    commits_4w,
    additions_4w,
    deletions_4w,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'coingecko__coin_activity') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['coin_id', 'market_date']) }}
