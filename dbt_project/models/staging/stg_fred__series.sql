-- Series of FRED in force, one row a series and period: the provider's own feed before an import, the newest import first.
-- `carry_days` is how long a value stands after it became known: its cadence and a few days. Revised vintages stay outside.
with landed as (
    {% for dataset, carry_days in [('series_daily', 10), ('series_weekly', 14), ('series_monthly', 45)] %}
        select
            feed,
            series_id,
            market_date,
            value,
            {{ carry_days }} as carry_days,
            source,
            data_source,
            available_at,
            loaded_at
        from {{ source('raw', 'fred__' ~ dataset) }}
        where
            {{ known_at_as_of() }}
        {{ newest_load_of(['feed', 'series_id', 'market_date']) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    feed,
    series_id,
    market_date,
    value,
    carry_days,
    source,
    data_source,
    available_at,
    loaded_at
from landed
qualify row_number() over (
    partition by series_id, market_date
    order by (feed = 'fred') desc, feed desc
) = 1
