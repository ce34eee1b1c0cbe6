-- Unlock schedules as wholes, the newest reading of each. An undated copy counts as known, as every undated reference table does.
select
    protocol,
    coin_id,
    token,
    max_supply_tokens,
    has_unknown_parts,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__unlock_schedules') }}
where
    {{ known_at_as_of() }}
qualify row_number() over (
    partition by protocol
    order by available_at desc nulls last, loaded_at desc, load_id desc
) = 1
