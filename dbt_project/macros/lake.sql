{% macro duckdb__alter_relation_comment(relation, comment) -%}
    {#- A lake loses sight of a view that was renamed in the same transaction, as dbt does. -#}
    {%- if not (adapter.is_ducklake(relation) and relation.is_view) -%}
        {{ dbt.duckdb__alter_relation_comment(relation, comment) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__alter_column_comment(relation, column_dict) -%}
    {#- A lake keeps no comments on columns of views. -#}
    {%- if not (adapter.is_ducklake(relation) and relation.is_view) -%}
        {{ dbt.duckdb__alter_column_comment(relation, column_dict) }}
    {%- endif -%}
{%- endmacro %}
