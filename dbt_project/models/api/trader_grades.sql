select
    as_of_week,
    token_id,
    symbol,
    trader_grade,
    trader_rank,
    score,
    model_version,
    version,
    origin,
    is_grade_provisional,
    coverage,
    universe
from {{ source('versioned', 'trader_grades_current') }}
