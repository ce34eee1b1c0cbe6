select
    as_of_week,
    token_id,
    is_low_cap,
    is_graded,
    warnings_checked,
    warnings_total,
    warnings_raised,
    is_excluded,
    not_checked,
    version,
    origin
from {{ source('screens', 'warning_coverage_current') }}
