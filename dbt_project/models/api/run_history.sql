select
    run_id,
    as_of_week,
    step,
    started_at,
    seconds,
    median(seconds) filter (where status = 'done') over (
        partition by step
        order by started_at
        rows between 12 preceding and 1 preceding
    ) as median_seconds_before,
    rows_written,
    peak_memory_mb,
    status,
    error
from {{ source('quality', 'run_steps') }}
