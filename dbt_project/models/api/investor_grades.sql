select
    as_of_week,
    token_id,
    symbol,
    investor_grade,
    investor_rank,
    score,
    model_version,
    version,
    origin,
    is_grade_provisional,
    coverage,
    universe
from {{ source('versioned', 'investor_grades_current') }}
