select
    token_id,
    symbol,
    name,
    sector,
    is_stable,
    is_wrapped,
    first_date,
    last_date,
    successor_token_id,
    migrated_date
from {{ ref('dim_tokens') }}
