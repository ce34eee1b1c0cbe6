{% materialization view, adapter='duckdb' -%}
    {#- A view with its comments in one statement. dbt makes it under another name, moves the old one away and asks twice which columns it
        has: eleven statements a view, more than half of the time of a build whose tables do not change. -#}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not existing.is_view -%}{%- do adapter.drop_relation(existing) -%}{%- endif -%}
    {%- if config.get('contract').enforced -%}{{ get_assert_columns_equivalent(sql) }}{%- endif -%}
    {%- call statement('main') -%}
    create or replace view {{ target }} as (
        {{ sql }}
    );
    {{ comments_of(target, model) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}
