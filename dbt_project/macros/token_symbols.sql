{% macro without_multiple(symbol) -%}
    {#- The ticker of a token that trades in lots: SATS of 1000SATS, BABYDOGE of 1MBABYDOGE; 1INCH stays what it is. -#}
    regexp_replace({{ symbol }}, '^(1000000|10000|1000|1M)([A-Z].*)$', '\2')
{%- endmacro %}

{% macro multiple_of(symbol) -%}
    {#- Tokens in one lot: 1000 of 1000SATS, a million of 1MBABYDOGE, else 1. -#}
    case
        when not regexp_matches({{ symbol }}, '^(1000000|10000|1000|1M)[A-Z]') then 1
        when {{ symbol }} like '1M%' then 1000000
        else regexp_extract({{ symbol }}, '^(1000000|10000|1000)', 1)::int
    end
{%- endmacro %}

{% macro known_date(available_at='available_at') -%}
    {#- First day at whose close a fact was known. -#}
    (timezone('UTC', {{ available_at }}) - interval 1 microsecond)::date
{%- endmacro %}

{% macro last_close() -%}
    {#- The day before as_of: the newest day any row may stand for. -#}
    (timezone('UTC', {{ as_of() }})::date - 1)
{%- endmacro %}
