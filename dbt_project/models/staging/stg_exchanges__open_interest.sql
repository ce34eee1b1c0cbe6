-- Open interest of the perpetuals of every exchange that has some.
{% for venue in var('derivatives') %}
    select
        market_id,
        upper(symbol) as symbol,
        market_date,
        open_interest_usd,
        source,
        data_source,
        available_at,
        loaded_at
    from {{ source('raw', venue ~ '__open_interest') }}
    where
        {{ known_at_as_of() }}
    {{ newest_load_of(['market_id', 'market_date']) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
