select
    index_id,
    year,
    return_with,
    return_without,
    given_up,
    is_bull_year,
    max_drawdown_with,
    max_drawdown_without,
    first_date,
    last_date
from {{ source('indices', 'insurance') }}
