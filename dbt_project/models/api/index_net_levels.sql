select
    date,
    index_id,
    capital_usd,
    level_net,
    cost_paid,
    turnover,
    carried_weight,
    cash_weight
from {{ source('indices', 'net_levels') }}
