select
    as_of_week,
    token_id,
    symbol,
    signal,
    p_bullish,
    p_neutral,
    p_bearish,
    version,
    origin
from {{ source('versioned', 'trading_signals_current') }}
