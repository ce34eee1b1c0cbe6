select
    coin_id,
    upper(symbol) as symbol,
    name,
    platform,
    homepage,
    github_repos,
    is_stablecoin,
    is_wrapped,
    loaded_at
from {{ source('raw', 'coingecko__assets') }}
{{ newest_load_of(['coin_id']) }}
