select
    as_of_week,
    token_id,
    symbol,
    horizon_days,
    price_usd,
    price_usd * (1 + return_low) as price_low_usd,
    price_usd * (1 + return_median) as price_median_usd,
    price_usd * (1 + return_high) as price_high_usd,
    return_low,
    return_high,
    model_version,
    version,
    origin
from {{ source('versioned', 'price_ranges_current') }}
