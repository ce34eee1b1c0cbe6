-- Every value that cleaning changed or held back, with the rule and the reason. The table is `quality.corrections`.
select
    token_id,
    market_date,
    'price_usd' as column_name,
    price_source,
    price_usd as value_before,
    null::double as value_after,
    'bad_tick' as rule,
    'price ' || printf('%.6g', price_usd) || ' is over 5 times away from the median ' || printf('%.6g', median_before_usd)
    || ' of the five prices before it' as reason
from {{ ref('int_daily_screened') }}
where is_bad_tick
