{% test rows_hold(model, conditions) %}
    {#- Every row fulfils every condition; a condition that is null for a row says nothing of it. One scan for all of them. -#}
    select
        case
        {%- for condition in conditions %}
            when ({{ condition }}) is false then '{{ condition | replace("'", "''") }}'
        {%- endfor %}
        end as broken_condition,
        *
    from {{ model }}
    where {% for condition in conditions %}({{ condition }}) is false{% if not loop.last %} or {% endif %}{% endfor %}
{% endtest %}
