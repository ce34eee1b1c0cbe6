-- Sectors of a token and when it was in them. At every moment one sector is the primary one: that of its class (Stable, Security
-- token), else the curated one, else the first in the ordered list of categories. Sub-sectors are never primary.
with priced as (
    select distinct token_id
    from {{ ref('fct_daily') }}
),

memberships as (
    select
        found.token_id,
        found.sector,
        sectors.is_sub_sector,
        found.sector_rank,
        coalesce(found.valid_from, date '0001-01-01') as begins,
        coalesce(found.valid_to, date '9999-12-31') as ends,
        found.valid_from is null as is_hindsight,
        found.basis
    from {{ ref('int_sector_memberships') }} as found
    inner join {{ ref('sector_list') }} as sectors on found.sector = sectors.sector
    inner join priced on found.token_id = priced.token_id
),

bounds as (
    select
        token_id,
        begins
    from memberships
    union
    select
        token_id,
        ends as begins
    from memberships
),

pieces as (
    select
        token_id,
        begins,
        lead(begins) over (partition by token_id order by begins) as ends
    from bounds
),

held as (
    select
        pieces.token_id,
        pieces.begins,
        pieces.ends,
        memberships.sector,
        memberships.is_sub_sector,
        memberships.sector_rank,
        memberships.is_hindsight,
        memberships.basis
    from pieces
    inner join memberships
        on
            pieces.token_id = memberships.token_id
            and pieces.begins >= memberships.begins
            and pieces.ends <= memberships.ends
    qualify row_number() over (
        partition by pieces.token_id, pieces.begins, memberships.sector
        order by memberships.sector_rank asc, memberships.is_hindsight asc, memberships.basis asc
    ) = 1
),

chosen as (
    select
        token_id,
        begins,
        ends,
        sector,
        is_sub_sector,
        is_hindsight,
        basis,
        not is_sub_sector
        and row_number() over (partition by token_id, begins order by is_sub_sector, sector_rank, sector) = 1 as is_primary
    from held
),

followed as (
    select
        token_id,
        sector,
        is_sub_sector,
        is_primary,
        is_hindsight,
        basis,
        begins,
        ends,
        row(begins, is_primary, basis, is_hindsight) as as_it_begins,
        lag(row(ends, is_primary, basis, is_hindsight)) over (partition by token_id, sector order by begins) as as_it_was
    from chosen
),

turned as (
    -- A piece that only continues the one before is no row of its own.
    select
        token_id,
        sector,
        is_sub_sector,
        is_primary,
        is_hindsight,
        basis,
        begins,
        ends,
        coalesce(as_it_begins != as_it_was, true) as is_turn
    from followed
),

numbered as (
    select
        token_id,
        sector,
        is_sub_sector,
        is_primary,
        is_hindsight,
        basis,
        begins,
        ends,
        sum(is_turn::int) over (partition by token_id, sector order by begins) as turn_number
    from turned
)

select
    token_id,
    sector,
    any_value(is_primary) as is_primary,
    any_value(is_sub_sector) as is_sub_sector,
    nullif(min(begins), date '0001-01-01') as valid_from,
    nullif(max(ends), date '9999-12-31') as valid_to,
    any_value(basis) as basis,
    any_value(is_hindsight) as is_hindsight
from numbered
group by token_id, sector, turn_number
order by token_id, sector, valid_from nulls first
