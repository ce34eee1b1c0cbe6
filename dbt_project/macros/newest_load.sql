{% macro known_at_as_of() -%}
    {#- Point in time: only what was known at as_of. Undated reference rows (null) count as known. -#}
    (available_at is null or available_at <= '{{ var("as_of") }}'::timestamptz)
{%- endmacro %}

{% macro newest_load_of(key) -%}
    {#- Of several loads of one key the newest counts; load_id breaks ties of the same instant. -#}
    qualify row_number() over (
        partition by {{ key | join(", ") }}
        order by loaded_at desc, load_id desc
    ) = 1
{%- endmacro %}
