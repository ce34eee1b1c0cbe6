select
    index_id,
    benchmark,
    metric,
    median,
    percentile_10,
    percentile_90,
    share_above_0,
    starts,
    first_start,
    last_start
from {{ source('indices', 'start_dates') }}
