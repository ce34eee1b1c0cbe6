{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Schemas are named as design.md names them, without dbt's target prefix. -#}
    {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
