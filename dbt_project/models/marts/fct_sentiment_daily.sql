-- What news and posts of a day say of a token which had a price on it, each report once. A kind without a text on the day is null, not 0.
with texts as (
    select
        mentions.token_id,
        scored.market_date,
        scored.kind,
        scored.compound,
        scored.available_at
    from {{ ref('int_texts_scored') }} as scored
    inner join {{ ref('int_text_mentions') }} as mentions
        on
            scored.kind = mentions.kind
            and scored.outlet = mentions.outlet
            and scored.item_id = mentions.item_id
    where not scored.is_repeat
),

daily as (
    select
        texts.token_id,
        texts.market_date,
        {% for kind in ('news', 'social') %}
            nullif(count(*) filter (where texts.kind = '{{ kind }}'), 0) as {{ kind }}_texts,
            avg(texts.compound) filter (where texts.kind = '{{ kind }}') as {{ kind }}_sentiment,
            stddev_samp(texts.compound) filter (where texts.kind = '{{ kind }}') as {{ kind }}_dispersion,
        {% endfor %}
        max(texts.available_at) as available_at
    from texts
    inner join {{ ref('fct_daily') }} as prices
        on texts.token_id = prices.token_id and texts.market_date = prices.market_date
    group by texts.token_id, texts.market_date
),

compared as (
    select
        *,
        {{ sentiment_zscore('news_sentiment', 'before') }} as news_zscore_90d,
        {{ sentiment_zscore('social_sentiment', 'before') }} as social_zscore_90d
    from daily
    window before as (
        partition by token_id order by market_date
        range between interval 90 days preceding and interval 1 day preceding
    )
)

select
    token_id,
    market_date,
    news_texts::integer as news_texts,
    news_sentiment,
    news_dispersion,
    news_zscore_90d,
    social_texts::integer as social_texts,
    social_sentiment,
    social_dispersion,
    social_zscore_90d,
    available_at
from compared
order by token_id, market_date
