select
    as_of_week,
    model,
    universe,
    metric,
    value
from {{ source('versioned', 'model_evaluation_current') }}
