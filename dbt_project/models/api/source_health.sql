select
    as_of_week,
    source,
    dataset,
    status,
    newest_date,
    days_behind,
    last_status,
    last_attempt_at,
    received,
    quarantined,
    failed,
    reason
from {{ source('quality', 'source_health') }}
