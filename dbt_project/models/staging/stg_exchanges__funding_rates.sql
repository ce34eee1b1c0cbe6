-- Funding of the perpetuals of every exchange that has some.
{% for venue in var('derivatives') %}
    select
        market_id,
        upper(symbol) as symbol,
        market_date,
        funding_rate,
        interval_hours,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', venue ~ '__funding_rates') }}
    where
        {{ known_at_as_of() }}
    {{ newest_load_of(['market_id', 'market_date']) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
