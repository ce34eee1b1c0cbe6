{% test names_every_token(model, models) %}
    {#- Every token of the given models is in this one. -#}
    {%- for name in models %}
    select
        '{{ name }}' as model_name,
        token_id,
        count(*) as rows_of_token
    from {{ ref(name) }}
    where token_id not in (select known.token_id from {{ model }} as known)
    group by token_id
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{% endtest %}
