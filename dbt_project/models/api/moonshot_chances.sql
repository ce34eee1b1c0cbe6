select
    as_of_week,
    token_id,
    symbol,
    p_2x_90d,
    p_3x_90d,
    price_usd,
    market_cap_usd,
    volatility_30d,
    volatility_quintile,
    cap_tercile,
    model_version,
    version,
    origin
from {{ source('screens', 'moonshot_chances_current') }}
