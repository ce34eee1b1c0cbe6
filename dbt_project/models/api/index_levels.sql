select
    date,
    index_id,
    level,
    status,
    status_reason
from {{ source('indices', 'levels_current') }}
