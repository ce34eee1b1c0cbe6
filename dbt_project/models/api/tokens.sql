select
    token_id,
    symbol,
    name,
    sector,
    is_stable,
    is_wrapped,
    first_date,
    last_date
from {{ ref('dim_tokens') }}
