-- Releases of unlock schedules, every reading of them apart: fct_unlocks_daily takes the newest reading known on each day.
select
    protocol,
    section,
    starts_at,
    unlock_type,
    position,
    coin_id,
    category,
    ends_at,
    amount_tokens,
    is_forecast,
    coalesce(is_withdrawn, false) as is_withdrawn,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__unlock_events') }}
where
    -- A copy without a date was made later than what it tells: hindsight, which enters no feature.
    available_at is not null
    and {{ known_at_as_of() }}
{{ newest_load_of(['protocol', 'section', 'starts_at', 'unlock_type', 'position', 'available_at']) }}
