select
    market_date,
    token_id,
    signal,
    p_bullish,
    p_neutral,
    p_bearish,
    signal_since_date,
    as_of_week,
    version,
    origin
from {{ source('versioned', 'daily_signals_current') }}
