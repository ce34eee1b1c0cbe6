-- First day each token traded on each exchange we follow.
select
    token_id,
    source as exchange,
    arg_min(market_id, row(market_date, market_id)) as market_id,
    min(market_date) as listed_date
from {{ ref('int_closes_resolved') }}
where source not in ('coinmarketcap', 'yahoo')
group by token_id, source
order by token_id, exchange
