select
    as_of_week,
    token_id,
    symbol,
    sub_grade,
    grade,
    basis,
    coverage,
    model_version,
    version,
    origin
from {{ source('versioned', 'sub_grades_current') }}
