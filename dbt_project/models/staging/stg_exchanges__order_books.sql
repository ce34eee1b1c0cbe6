-- Spread, and depth within 2 % of the mid, of the order books that were read of every exchange.
{% for venue in var('exchanges') %}
    select
        market_id,
        upper(symbol) as symbol,
        quote,
        market_date,
        mid_quote,
        spread,
        bid_depth_2pct_quote,
        ask_depth_2pct_quote,
        is_depth_complete,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', venue ~ '__order_books') }}
    where
        {{ known_at_as_of() }}
    {{ newest_load_of(['market_id', 'market_date']) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
