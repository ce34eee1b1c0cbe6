select
    market_date as date,
    news_texts,
    news_sentiment,
    news_dispersion,
    news_zscore_90d,
    news_positive_share,
    news_negative_share,
    social_texts,
    social_sentiment,
    social_dispersion,
    social_zscore_90d,
    social_positive_share,
    social_negative_share
from {{ ref('fct_sentiment_market_daily') }}
