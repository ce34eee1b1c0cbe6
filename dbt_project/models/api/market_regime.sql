select
    market_date as date,
    regime,
    regime_probability,
    regime_since_date,
    trend,
    p_bull,
    trend_since_date,
    volatility,
    p_turbulent,
    volatility_since_date,
    refit_date
from {{ source('market', 'regime') }}
