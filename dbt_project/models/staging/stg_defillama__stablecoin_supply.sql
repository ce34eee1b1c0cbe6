select
    stablecoin_id,
    coin_id,
    symbol,
    peg,
    market_date,
    circulating_usd,
    price_usd,
    source,
    data_source,
    available_at,
    loaded_at
from {{ source('raw', 'defillama__stablecoin_supply') }}
where
    {{ known_at_as_of() }}
{{ newest_load_of(['stablecoin_id', 'market_date']) }}
