select
    market_date as date,
    token_id,
    price_usd,
    market_cap_usd,
    volume_24h_usd,
    data_source,
    price_source,
    is_carried,
    is_supply_carried
from {{ ref('fct_daily') }}
