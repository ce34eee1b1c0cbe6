select
    as_of_week,
    bullish_share,
    bearish_share,
    tokens
from {{ source('versioned', 'bull_bear_current') }}
where universe = 'broad'
