select
    index_id,
    effective_at,
    token_id,
    symbol,
    target_weight,
    reason,
    version,
    origin
from {{ source('indices', 'rebalances_current') }}
