with by_token as (
    select
        date,
        token_id,
        news_texts,
        news_sentiment,
        news_dispersion,
        news_zscore_90d,
        social_texts,
        social_sentiment,
        social_dispersion,
        social_zscore_90d
    from {{ ref('sentiment') }}
    union all
    select
        date,
        null as token_id,
        news_texts,
        news_sentiment,
        news_dispersion,
        news_zscore_90d,
        social_texts,
        social_sentiment,
        social_dispersion,
        social_zscore_90d
    from {{ ref('market_sentiment') }}
)

select
    date,
    token_id,
    'news' as medium,
    news_texts as texts,
    news_sentiment as sentiment,
    news_dispersion as dispersion,
    news_zscore_90d as zscore_90d
from by_token
where news_texts > 0
union all
select
    date,
    token_id,
    'social' as medium,
    social_texts as texts,
    social_sentiment as sentiment,
    social_dispersion as dispersion,
    social_zscore_90d as zscore_90d
from by_token
where social_texts > 0
