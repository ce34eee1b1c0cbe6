-- How many follow a token, and how those who vote feel about it, on the days on which somebody looked.
with facts as (
    select
        coin_id as token_id,
        market_date,
        watchlist_users,
        sentiment_up_share,
        telegram_users,
        reddit_subscribers as counted_subscribers,
        null::bigint as reddit_subscribers,
        null::bigint as reddit_posts_24h,
        available_at
    from {{ ref('stg_coingecko__coin_activity') }}
    union all
    select
        coin_id as token_id,
        market_date,
        null::bigint as watchlist_users,
        null::double as sentiment_up_share,
        null::bigint as telegram_users,
        null::bigint as counted_subscribers,
        max(subscribers) as reddit_subscribers,
        sum(posts_24h) as reddit_posts_24h,
        max(available_at) as available_at
    from {{ ref('stg_reddit__subreddits') }}
    where coin_id is not null
    group by coin_id, market_date
)

select
    token_id,
    market_date,
    max(watchlist_users) as watchlist_users,
    max(sentiment_up_share) as sentiment_up_share,
    max(telegram_users) as telegram_users,
    -- Reddit's own number of the token's largest subreddit, else CoinGecko's, which it mostly gives no longer.
    coalesce(max(reddit_subscribers), max(counted_subscribers)) as reddit_subscribers,
    max(reddit_posts_24h)::bigint as reddit_posts_24h,
    max(available_at) as available_at
from facts
group by token_id, market_date
having
    coalesce(max(watchlist_users), max(telegram_users), max(reddit_subscribers), max(counted_subscribers)) is not null
    or coalesce(max(sentiment_up_share), max(reddit_posts_24h)) is not null
order by token_id, market_date
