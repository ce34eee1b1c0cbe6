{% test unique_key(model, columns) %}
    {#- The grain holds: no combination of the key columns stands twice. -#}
    select
        {{ columns | join(", ") }},
        count(*) as rows_of_key
    from {{ model }}
    group by {{ columns | join(", ") }}
    having count(*) > 1
{% endtest %}
