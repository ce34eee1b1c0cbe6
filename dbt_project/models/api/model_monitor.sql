select
    as_of_week,
    model,
    metric,
    value,
    model_version,
    version,
    origin
from {{ source('versioned', 'model_monitor_current') }}
