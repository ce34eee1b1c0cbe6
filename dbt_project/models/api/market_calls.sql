select
    flipped_date,
    signal,
    previous_signal,
    ended_date,
    days,
    market_cap_at_flip_usd,
    return_from_flip,
    return_after_entry,
    best_excursion,
    worst_excursion,
    is_hit,
    base_hit_rate,
    past_calls,
    past_hits
from {{ source('market', 'calls') }}
