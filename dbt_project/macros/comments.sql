{% macro comments_of(relation, model) -%}
    {#- What the project says of a relation and of its columns, as comments; a lake keeps none on columns of views. -#}
    {%- if config.persist_relation_docs() and model.description %}
    {{ alter_relation_comment(relation, model.description) }}
    {%- endif -%}
    {%- if config.persist_column_docs() and not (adapter.is_ducklake(relation) and relation.is_view) -%}
        {%- for name, column in model.columns.items() if column.description %}
    comment on column {{ relation }}.{{ adapter.quote(name) }} is {{ duckdb_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}
    {#- In one statement, where dbt takes four and asks twice which columns there are: a described column that is not there fails. -#}
    {%- set comments = comments_of(relation, model) -%}
    {%- if comments | trim -%}{%- do run_query(comments) -%}{%- endif -%}
{%- endmacro %}
