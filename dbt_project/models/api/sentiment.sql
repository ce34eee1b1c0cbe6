select
    token_id,
    market_date as date,
    news_texts,
    news_sentiment,
    news_dispersion,
    news_zscore_90d,
    social_texts,
    social_sentiment,
    social_dispersion,
    social_zscore_90d
from {{ ref('fct_sentiment_daily') }}
