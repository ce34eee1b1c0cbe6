-- What news and posts of a day say, whichever token they name or none, each report once. A kind without a text on the day is null, not 0.
with daily as (
    select
        market_date,
        {% for kind in ('news', 'social') %}
            nullif(count(*) filter (where kind = '{{ kind }}'), 0) as {{ kind }}_texts,
            avg(compound) filter (where kind = '{{ kind }}') as {{ kind }}_sentiment,
            stddev_samp(compound) filter (where kind = '{{ kind }}') as {{ kind }}_dispersion,
            avg((polarity_class = 'positive')::integer) filter (where kind = '{{ kind }}') as {{ kind }}_positive_share,
            avg((polarity_class = 'negative')::integer) filter (where kind = '{{ kind }}') as {{ kind }}_negative_share,
        {% endfor %}
        max(available_at) as available_at
    from {{ ref('int_texts_scored') }}
    where not is_repeat
    group by market_date
),

compared as (
    select
        *,
        {{ sentiment_zscore('news_sentiment', 'before') }} as news_zscore_90d,
        {{ sentiment_zscore('social_sentiment', 'before') }} as social_zscore_90d
    from daily
    window before as (
        order by market_date
        range between interval 90 days preceding and interval 1 day preceding
    )
)

select
    market_date,
    news_texts::integer as news_texts,
    news_sentiment,
    news_dispersion,
    news_zscore_90d,
    news_positive_share,
    news_negative_share,
    social_texts::integer as social_texts,
    social_sentiment,
    social_dispersion,
    social_zscore_90d,
    social_positive_share,
    social_negative_share,
    available_at
from compared
order by market_date
