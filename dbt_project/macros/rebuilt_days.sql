{#- Incremental models compute days: from the first day that may look otherwise than in the build before, to the end. Every row before
    it stays as it is and is not read but for what the first days look back on. -#}

{% macro begin_rebuilt_days() -%}
    {#- Which model of this run computed which days; the first row is what landed facts touch. -#}
    create schema if not exists intermediate;
    create or replace table intermediate.rebuilt_days as
    select null::varchar as model, date '{{ env_var("TIDEMARK_REBUILT_FROM", "1900-01-01") }}' as rebuilt_from
{%- endmacro %}

{% macro rebuilt_from(first_wrong=none) -%}
    {#- First day this model computes, as a literal: that of the run, or an earlier one that a model before it had to go back to, or the
        one day `first_wrong` (a query of one date) finds: what is known in hindsight, as a market's coin, may change rows of earlier days. -#}
    {%- if not execute -%}date '1900-01-01'
    {%- else -%}
        {%- set mine = "select rebuilt_from from intermediate.rebuilt_days where model = '" ~ model.name ~ "'" -%}
        {%- if run_query(mine).rows | length == 0 -%}
            {%- do run_query(
                "insert into intermediate.rebuilt_days select '" ~ model.name ~ "', least(min(rebuilt_from), ("
                ~ (first_wrong or "null") ~ ")) from intermediate.rebuilt_days"
            ) -%}
        {%- endif -%}
        date '{{ run_query(mine).rows[0][0] }}'
    {%- endif -%}
{%- endmacro %}

{% macro in_rebuilt_days(days_before=0, column='market_date') -%}
    {#- Whether a row is of a day this model computes, or of one of the days before that they look back on. -#}
    {%- if is_incremental() -%}{{ column }} >= {{ rebuilt_from() }} - {{ days_before }}
    {%- else -%}true
    {%- endif -%}
{%- endmacro %}

{% macro with_rows_before(relation, rows, key=['token_id'], condition='true') -%}
    {#- The rows of the days this model computes and, of every key, so many rows before them, however long ago. -#}
    {%- if is_incremental() -%}
    (
        select recent.*
        from {{ relation }} as recent
        left join (
            select
                {{ key | join(", ") }},
                list_min(max(market_date, {{ rows }})) as first_date
            from {{ relation }}
            where {{ condition }} and market_date < {{ rebuilt_from() }}
            group by {{ key | join(", ") }}
        ) as reach
            on {% for column in key %}recent.{{ column }} = reach.{{ column }}{% if not loop.last %} and {% endif %}{% endfor %}
        where {{ condition }} and recent.market_date >= coalesce(reach.first_date, {{ rebuilt_from() }})
    )
    {%- else -%}(select * from {{ relation }} where {{ condition }})
    {%- endif -%}
{%- endmacro %}

{% macro before_rebuilt_days(key, values) -%}
    {#- What the rows before the days this model computes come to, one row a key, none where it computes all days: state that a day builds
        on and that has no end. `values` are (expression, name, type). -#}
    {%- if is_incremental() -%}
    select
        {{ key | join(", ") }}{% for expression, name, type in values %},
        {{ expression }} as {{ name }}{% endfor %}
    from {{ this }}
    where market_date < {{ rebuilt_from() }}
    group by {{ key | join(", ") }}
    {%- else -%}
    select
        {% for column in key %}null::varchar as {{ column }}, {% endfor %}
        {% for expression, name, type in values %}null::{{ type }} as {{ name }}{% if not loop.last %}, {% endif %}{% endfor %}
    where false
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_days_sql(arguments) -%}
    {#- dbt's strategy `days`: the days that were computed take the place of those that were there. meta.day_column is the column that says
        the day a row belongs to, meta.reach_days how many days before the first the model computes. -#}
    {%- set meta = config.get('meta') or {} -%}
    {%- set columns = arguments.dest_columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ arguments.target_relation }}
    where {{ meta.get('day_column', 'market_date') }} >= {{ rebuilt_from() }} - {{ meta.get('reach_days', 0) }};
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}
