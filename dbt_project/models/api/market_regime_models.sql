select
    refit_date,
    chain,
    low_state,
    high_state,
    low_parameter,
    high_parameter,
    scale,
    duration_days,
    effective_models,
    training_days
from {{ source('market', 'regime_models') }}
