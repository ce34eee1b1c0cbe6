select
    coin_id,
    trim(category_name) as category_name,
    loaded_at
from {{ source('raw', 'coingecko__asset_categories') }}
{{ newest_load_of(['coin_id', 'category_name']) }}
