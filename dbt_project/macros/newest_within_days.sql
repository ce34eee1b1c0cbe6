{% test newest_within_days(model, days, date_column='market_date') %}
    {#- The newest day lies at most so many days before the newest one that as_of allows. Judged against as_of and not the clock, which
        knows nothing of an archive or a simulated market; a table without a row passes: its source never came. -#}
    select
        max({{ date_column }}) as newest_date,
        {{ last_close() }} as newest_possible_date
    from {{ model }}
    having max({{ date_column }}) < {{ last_close() }} - {{ days }}
{% endtest %}
