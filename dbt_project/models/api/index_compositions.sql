select
    as_of_week,
    index_id,
    token_id,
    symbol,
    weight,
    weight_change,
    reason,
    version,
    origin
from {{ source('indices', 'compositions_current') }}
