{% macro duckdb__alter_column_comment(relation, column_dict) -%}
    {#- A lake keeps no comments on columns of views. -#}
    {%- if not (adapter.is_ducklake(relation) and relation.is_view) -%}
        {{ dbt_duckdb.duckdb__alter_column_comment(relation, column_dict) }}
    {%- endif -%}
{%- endmacro %}
