{% macro sentiment_zscore(sentiment, days_before) -%}
    {#- Standard deviations between a day's mean and the mean of the days before it in a named window; null with fewer than ten of them
        that have a text, and where they are all alike. -#}
    case
        when count({{ sentiment }}) over {{ days_before }} >= 10 and stddev_samp({{ sentiment }}) over {{ days_before }} > 1e-9
            then
                ({{ sentiment }} - avg({{ sentiment }}) over {{ days_before }})
                / stddev_samp({{ sentiment }}) over {{ days_before }}
    end
{%- endmacro %}
