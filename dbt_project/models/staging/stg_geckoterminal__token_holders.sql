select
    network,
    token_address,
    coin_id,
    market_date,
    holders,
    top_10_share,
    is_honeypot,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'geckoterminal__token_holders') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['network', 'token_address', 'market_date']) }}
