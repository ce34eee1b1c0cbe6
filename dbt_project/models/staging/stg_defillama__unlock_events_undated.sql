-- Releases in copies of unlock schedules without a date: made later than what they tell, so hindsight. The calendar of what lies ahead of
-- the newest day shows them, flagged; nothing that is backtested may read them.
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
    loaded_at
from {{ source('raw', 'defillama__unlock_events') }}
where available_at is null
{{ newest_load_of(['protocol', 'section', 'starts_at', 'unlock_type', 'position']) }}
