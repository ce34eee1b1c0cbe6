{% macro first_prices() -%}
    {#- The day of every token's first price, as a table: what a source says of a token before it is nobody's to act on. -#}
    (
        select
            token_id,
            min(market_date) as first_date
        from {{ ref('fct_daily') }}
        group by token_id
    )
{%- endmacro %}
