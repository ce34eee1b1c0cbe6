-- Sector and pegged class of each CoinGecko coin from its categories: an ordered list (seeds), so that a coin in twenty
-- categories has one sector. Categories are undated, so whatever rests on them is hindsight and says so.
with sectors as (
    select
        categories.coin_id,
        arg_min(seeds.sector, seeds.priority) as sector
    from {{ ref('stg_coingecko__asset_categories') }} as categories
    inner join {{ ref('sector_categories') }} as seeds
        on categories.category_name = seeds.category_name
    group by categories.coin_id
),

pegged as (
    select
        categories.coin_id,
        min(seeds.pegged_class) as pegged_class
    from {{ ref('stg_coingecko__asset_categories') }} as categories
    inner join {{ ref('pegged_categories') }} as seeds
        on categories.category_name = seeds.category_name
    group by categories.coin_id
)

select
    coalesce(sectors.coin_id, pegged.coin_id, overrides.token_id) as token_id,
    coalesce(overrides.sector, sectors.sector) as sector,
    pegged.pegged_class
from sectors
full outer join pegged on sectors.coin_id = pegged.coin_id
full outer join {{ ref('sector_overrides') }} as overrides
    on coalesce(sectors.coin_id, pegged.coin_id) = overrides.token_id
