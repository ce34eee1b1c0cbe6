-- All further facts of a token in one wide and sparse row, on the day at whose close they were known: what the features of
-- models_ml/features read beside fct_daily and fct_onchain_daily. Null where a source said nothing of the token on that day.
{%- set facts = [
    ('fct_liquidity_daily', ['venues_listing', 'bid_ask_spread', 'depth_2pct_usd']),
    ('fct_derivatives_daily', ['funding_rate_8h', 'open_interest_usd', 'open_interest_venues']),
    ('fct_defi_daily', ['protocol_tvl_usd', 'chain_tvl_usd', 'fees_usd', 'revenue_usd', 'dex_volume_usd']),
    ('fct_developers_daily', [
        'commits_week', 'authors_week', 'commits_repositories', 'commits_4w', 'stars', 'stars_repositories'
    ]),
    ('fct_community_daily', ['watchlist_users', 'sentiment_up_share', 'reddit_subscribers']),
    ('fct_holders_daily', ['holders', 'top_10_holder_share']),
    ('fct_unlocks_daily', ['cliff_unlock_30d_tokens', 'linear_unlock_30d_tokens']),
    ('fct_mentions_daily', ['mentions']),
    ('fct_sentiment_daily', ['news_texts', 'news_sentiment', 'social_texts', 'social_sentiment']),
] %}
with facts as (
    {% for fact, columns in facts %}
        select
            token_id,
            {{ known_date() }} as market_date,
            {% for _, others in facts %}{% for column in others %}
                {% if column in columns %}{{ column }}{% else %}null{% endif %}::double as {{ column }},
            {% endfor %}{% endfor %}
            available_at
        from {{ ref(fact) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    token_id,
    market_date,
    {% for _, columns in facts %}{% for column in columns %}
        max({{ column }}) as {{ column }},
    {% endfor %}{% endfor %}
    max(available_at) as available_at
from facts
group by token_id, market_date
