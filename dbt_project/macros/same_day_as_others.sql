{% test same_day_as_others(model) %}
    {#- No provider dates its days otherwise than the others, in a whole month or from some day of it on. -#}
    select
        source,
        month_date,
        best_shift_days,
        compared_with,
        tokens,
        run_shift_days,
        run_from_date,
        run_to_date
    from {{ model }}
    where tokens >= 5 and days >= 15 and (best_shift_days != 0 or run_days >= 5)
{% endtest %}
