select
    coin_id,
    platform,
    contract_address,
    loaded_at
from {{ source('raw', 'coingecko__contracts') }}
{{ newest_load_of(['coin_id', 'platform']) }}
