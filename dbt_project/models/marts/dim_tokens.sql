-- Tokens as they were, from the first day with a price: a row ends where the token was renamed, changed its primary sector or was
-- exchanged for another one.
with seen as (
    select
        token_id,
        min(market_date) as first_date,
        max(priced_date) as last_date
    from {{ ref('fct_daily') }}
    group by token_id
),

moved as (
    -- A migration is known from its day on; holders of the old token could act on it no earlier than they can here.
    select
        token_id,
        successor_token_id,
        migrated_date,
        kind
    from {{ ref('token_migrations') }}
    where migrated_date < timezone('UTC', {{ as_of() }})::date
),

begun as (
    select
        token_id,
        symbol,
        name,
        valid_from is null as is_undated,
        is_rename,
        coalesce(valid_from, date '0001-01-01') as begins
    from {{ ref('int_token_namings') }}
),

primary_sectors as (
    select
        token_id,
        sector,
        is_hindsight,
        coalesce(valid_from, date '0001-01-01') as begins,
        coalesce(valid_to, date '9999-12-31') as ends
    from {{ ref('dim_token_sectors') }}
    where is_primary
),

predecessors as (
    -- Of several tokens that were merged into one the first: a migration before mergers, then the earliest.
    select
        successor_token_id as token_id,
        migrated_date,
        first_value(token_id) over (
            partition by successor_token_id
            order by migrated_date asc, (kind = 'migration') desc, token_id asc
        ) as predecessor_token_id
    from moved
),

turns as (
    select
        token_id,
        begins as valid_from
    from begun
    union
    select
        token_id,
        begins as valid_from
    from primary_sectors
    union
    select
        token_id,
        ends as valid_from
    from primary_sectors
    where ends < date '9999-12-31'
    union
    select
        token_id,
        migrated_date as valid_from
    from moved
    union
    select
        token_id,
        migrated_date as valid_from
    from predecessors
),

versions as (
    select
        token_id,
        first_date,
        last_date,
        valid_from,
        lead(valid_from) over (partition by token_id order by valid_from) as valid_to
    from (
        select distinct
            seen.token_id,
            seen.first_date,
            seen.last_date,
            greatest(coalesce(turns.valid_from, seen.first_date), seen.first_date) as valid_from
        from seen
        left join turns on seen.token_id = turns.token_id
    ) as begun_or_first
),

renamed as (
    select
        versions.token_id,
        versions.valid_from,
        max(begun.begins) as renamed_date
    from versions
    inner join begun on versions.token_id = begun.token_id and versions.valid_from >= begun.begins
    where begun.is_rename
    group by versions.token_id, versions.valid_from
),

pegged as (
    select
        token_id,
        arg_max(is_dollar_pegged, market_date) as is_dollar_pegged
    from {{ ref('int_pegged_so_far') }}
    group by token_id
)

select
    versions.token_id,
    versions.valid_from,
    versions.valid_to,
    versions.valid_to is null as is_current,
    coalesce(begun.symbol, upper(split_part(versions.token_id, ':', -1))) as symbol,
    coalesce(begun.name, versions.token_id) as name,
    primary_sectors.sector,
    coalesce(classes.token_class, 'independent') as token_class,
    -- Not the class by the price: whether a token is pegged today must not take the sector from the weeks before it was.
    coalesce(classes.token_class = 'stable', false) or coalesce(pegged.is_dollar_pegged, false) as is_stable,
    coalesce(classes.token_class not in ('independent', 'stable'), false) as is_wrapped,
    issuers.issuer is not null as is_fiat_backed,
    classes.underlying_class,
    classes.is_access_restricted,
    versions.first_date,
    versions.last_date,
    predecessors.predecessor_token_id,
    moved.successor_token_id,
    moved.migrated_date,
    renamed.renamed_date,
    coalesce(renamed.renamed_date >= timezone('UTC', {{ as_of() }})::date - 90, false) as is_recently_renamed,
    coalesce(begun.is_undated, true)
    or coalesce(primary_sectors.is_hindsight, false)
    or classes.class_basis is not null as is_hindsight
from versions
asof left join begun on versions.token_id = begun.token_id and versions.valid_from >= begun.begins
left join primary_sectors
    on
        versions.token_id = primary_sectors.token_id
        and versions.valid_from >= primary_sectors.begins
        and versions.valid_from < primary_sectors.ends
left join {{ ref('int_token_classes') }} as classes on versions.token_id = classes.token_id
left join {{ ref('fiat_backed_stablecoins') }} as issuers on versions.token_id = issuers.token_id
left join pegged on versions.token_id = pegged.token_id
left join moved on versions.token_id = moved.token_id and versions.valid_from >= moved.migrated_date
left join (
    select distinct
        token_id,
        predecessor_token_id,
        min(migrated_date) over (partition by token_id) as migrated_date
    from predecessors
) as predecessors
    on versions.token_id = predecessors.token_id and versions.valid_from >= predecessors.migrated_date
left join renamed on versions.token_id = renamed.token_id and versions.valid_from = renamed.valid_from
order by versions.token_id, versions.valid_from
