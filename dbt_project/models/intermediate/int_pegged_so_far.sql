-- Whether a token has kept within 3 % of one dollar on 80 % of its days so far (at least 20): flags of the providers miss some.
select
    token_id,
    market_date,
    count(*) over so_far >= 20
    and avg((abs(price_usd - 1) < 0.03)::int) over so_far >= 0.8 as is_dollar_pegged
from {{ ref('fct_daily') }}
window so_far as (
    partition by token_id
    order by market_date
    rows between unbounded preceding and current row
)
