{% macro place_of_day(quantity) -%}
    {#- Place of a row among those of its day, in (0, 1), as models_ml/features/relative.py ranks: equal values share the mean of their
        places. The quantity must be known in every row. -#}
    (
        cume_dist() over (partition by market_date order by {{ quantity }})
        + (rank() over (partition by market_date order by {{ quantity }}) - 1) / count(*) over (partition by market_date)
    ) / 2
{%- endmacro %}
