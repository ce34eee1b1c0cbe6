{% macro source_rank(source) -%}
    {#- Place of a price source in the order of its word, CoinGecko 0, the exchanges as they are listed in the project's variable, Yahoo last. -#}
    {%- set exchanges = var('exchanges') | reject('in', ['coinbase', 'binance']) | list %}
    case {{ source }}
        {% for name in ['coingecko', 'coinmarketcap', 'coinbase', 'binance'] + exchanges + ['yahoo'] %}
            when '{{ name }}' then {{ loop.index0 }}
        {% endfor %}
    end
{%- endmacro %}
