select
    as_of_week,
    token_id,
    symbol,
    signal,
    trader_grade,
    call_origin,
    outcome,
    is_right,
    return_14d,
    excess_over_market,
    excess_over_bitcoin,
    is_in_worst_decile,
    has_ended,
    version
from {{ source('versioned', 'call_outcomes_current') }}
