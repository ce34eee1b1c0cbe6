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
    version,
    case
        when trader_grade >= 80 then '80 and above'
        when trader_grade >= 60 then '60 to 80'
        when trader_grade >= 50 then '50 to 60'
        when trader_grade is not null then 'below 50'
    end as grade_band
from {{ source('versioned', 'call_outcomes_current') }}
