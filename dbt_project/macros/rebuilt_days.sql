{#- Incremental models compute days: from the first day that may look otherwise than in the build before, to the end. Every row before
    it stays as it is and is not read but for what the first days look back on. -#}

{% macro begin_rebuilt_days() -%}
    {#- Which days this run computes: first those of every model, then those from which loads touch the facts of a source (the environment
        has both); models that go back further add theirs. A model starts at the earliest of all that stand before it. -#}
    {%- set touched = fromjson(env_var("TIDEMARK_TOUCHED", "{}")) -%}
    create schema if not exists intermediate;
    create or replace table intermediate.rebuilt_days (node varchar, rebuilt_from date);
    insert into intermediate.rebuilt_days values
        (null, date '{{ env_var("TIDEMARK_REBUILT_FROM", "1900-01-01") }}')
        {%- for source, day in touched.items() %}, ('{{ source }}', date '{{ day }}'){% endfor %};
    create or replace table intermediate.node_ancestors (node varchar, ancestor varchar);
    {%- if execute %}
    insert into intermediate.node_ancestors
    select lines.node, unnest(lines.ancestors)
    from (values {% for node in graph.nodes.values() if node.config.materialized == 'incremental' %}
        ('{{ node.name }}', {{ ancestors_of(node.unique_id) }}){% if not loop.last %},{% endif %}{% endfor %}
    ) as lines(node, ancestors);
    {%- endif %}
    create or replace view intermediate.first_rebuilt_days as
    select
        node_ancestors.node,
        min(rebuilt_days.rebuilt_from) as rebuilt_from
    from intermediate.node_ancestors
    inner join intermediate.rebuilt_days
        on rebuilt_days.node is null or node_ancestors.ancestor = rebuilt_days.node
    group by node_ancestors.node
{%- endmacro %}

{% macro ancestors_of(unique_id) -%}
    {#- Names of a model and of every model and source before it, as a list in SQL. -#}
    {%- set found = [unique_id] -%}
    {%- for each in found -%}
        {%- for parent in (graph.nodes[each].depends_on.nodes if each in graph.nodes else []) if parent not in found -%}
            {%- do found.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for each in found -%}{%- do names.append("'" ~ each.split('.')[-1] ~ "'") -%}{%- endfor -%}
    [{{ names | join(', ') }}]
{%- endmacro %}

{% macro rebuilt_from(first_wrong=none) -%}
    {#- First day this model computes, as a literal: the earliest of the run's, of those of the sources and models before it, and of the
        one day `first_wrong` (a query of one date) finds: what is known in hindsight, as a market's coin, may change rows of earlier days. -#}
    {%- if not execute -%}date '1900-01-01'
    {%- else -%}
        {%- set mine = "select rebuilt_from from intermediate.rebuilt_days where node = '" ~ model.name ~ "'" -%}
        {%- set found = run_query(mine).rows -%}
        {%- if found | length == 0 -%}
            {%- do run_query(
                "insert into intermediate.rebuilt_days select node, least(rebuilt_from, (" ~ (first_wrong or "null")
                ~ ")) from intermediate.first_rebuilt_days where node = '" ~ model.name ~ "'"
            ) -%}
            {%- set found = run_query(mine).rows -%}
        {%- endif -%}
        date '{{ found[0][0] }}'
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
    select {{ columns }} from {{ arguments.temp_relation }};
    {#- What a Python model made is no temporary table, and dbt would leave it in the warehouse. -#}
    drop table {{ arguments.temp_relation }}
{%- endmacro %}
