-- Last price, best bid and ask of the spot markets of every exchange.
{% for venue in var('exchanges') %}
    select
        market_id,
        upper(symbol) as symbol,
        quote,
        market_date,
        last_quote,
        bid_quote,
        ask_quote,
        volume_quote,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', venue ~ '__tickers') }}
    where
        {{ known_at_as_of() }}
    {{ newest_load_of(['market_id', 'market_date']) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
