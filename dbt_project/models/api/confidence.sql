select
    as_of_week,
    token_id,
    symbol,
    trader_novelty,
    trader_confidence,
    investor_novelty,
    investor_confidence,
    calls_novelty,
    calls_confidence,
    model_version,
    version,
    origin
from {{ source('versioned', 'confidence_current') }}
