with memberships as (
    select
        token_id,
        list(sector order by is_primary desc, is_sub_sector asc, sector asc) as sectors
    from {{ ref('dim_token_sectors') }}
    where valid_to is null
    group by token_id
)

select
    tokens.token_id,
    tokens.symbol,
    tokens.name,
    tokens.sector,
    tokens.is_stable,
    tokens.is_wrapped,
    tokens.first_date,
    tokens.last_date,
    tokens.successor_token_id,
    tokens.migrated_date,
    tokens.token_class,
    coalesce(memberships.sectors, []) as sectors,
    tokens.is_recently_renamed,
    tokens.underlying_class,
    tokens.is_access_restricted
from {{ ref('dim_tokens') }} as tokens
left join memberships on tokens.token_id = memberships.token_id
where tokens.is_current
