-- Daily candles of the spot markets of every exchange.
{% for venue in var('exchanges') %}
    select
        market_id,
        upper(symbol) as symbol,
        quote,
        market_date,
        high_quote,
        low_quote,
        close_quote,
        volume_quote,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', venue ~ '__candles_daily') }}
    where
        {{ known_at_as_of() }}
    {{ newest_load_of(['market_id', 'market_date']) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
