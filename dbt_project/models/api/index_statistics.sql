select
    index_id,
    basis,
    benchmark,
    metric,
    value,
    low,
    high,
    first_date,
    last_date
from {{ source('indices', 'statistics') }}
