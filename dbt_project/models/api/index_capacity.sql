select
    index_id,
    twin_id,
    capacity_usd,
    reason,
    twin_annual_return,
    smallest_capital_usd,
    smallest_annual_return,
    largest_capital_usd,
    largest_annual_return,
    first_date,
    last_date
from {{ source('indices', 'capacity') }}
