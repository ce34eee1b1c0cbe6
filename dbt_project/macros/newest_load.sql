{% macro as_of() -%}
    {#- Information known after this instant is invisible to every model. From the environment and not a variable of dbt, because
        another value of a variable makes dbt parse the whole project again. -#}
    '{{ env_var("TIDEMARK_AS_OF_INSTANT", "2999-01-01 00:00:00+00") }}'::timestamptz
{%- endmacro %}

{% macro known_at_as_of() -%}
    {#- Point in time: only what was known at as_of. Undated reference rows (null) count as known. -#}
    (available_at is null or available_at <= {{ as_of() }})
{%- endmacro %}

{% macro newest_load_of(key) -%}
    {#- Of several loads of one key the newest counts; load_id breaks ties of the same instant. -#}
    qualify row_number() over (
        partition by {{ key | join(", ") }}
        order by loaded_at desc, load_id desc
    ) = 1
{%- endmacro %}
