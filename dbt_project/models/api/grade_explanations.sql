select
    as_of_week,
    model,
    token_id,
    symbol,
    place,
    feature,
    value,
    contribution,
    sentence,
    model_version,
    version,
    origin
from {{ source('versioned', 'grade_explanations_current') }}
