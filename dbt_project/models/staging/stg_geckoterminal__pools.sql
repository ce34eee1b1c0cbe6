select
    pool_id,
    network,
    base_token_address,
    base_token_symbol,
    coin_id,
    created_at,
    market_date,
    price_usd,
    fdv_usd,
    liquidity_usd,
    volume_24h_usd,
    buys_24h,
    sells_24h,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'geckoterminal__pools') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['pool_id', 'market_date']) }}
