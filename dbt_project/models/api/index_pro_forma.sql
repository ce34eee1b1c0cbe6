select
    index_id,
    status,
    determined_at,
    announced_from,
    effective_at,
    token_id,
    symbol,
    target_weight,
    weight_change,
    reason
from {{ source('indices', 'pro_forma') }}
