-- Which sectors a token belongs to, from when to when, by which ground; smaller ranks speak first when one sector is to be chosen.
-- Categories are undated when first read, so those count from ever (hindsight). Later loads date them: a coin enters a category on the
-- day a load first has it there, and leaves on the day a load has the coin and the category, and the coin not in it. A coin that is in
-- no category of a load is off the list or below its depth, and keeps what it had.
with loads as (
    select
        trim(category_name) as category_name,
        load_id,
        available_at,
        {{ known_date() }} as seen_date,
        row_number() over (partition by trim(category_name) order by loaded_at, load_id) as load_number
    from (
        select distinct
            category_name,
            load_id,
            loaded_at,
            available_at
        from {{ source('raw', 'coingecko__asset_categories') }}
    ) as landed
),

members as (
    select distinct
        coin_id,
        trim(category_name) as category_name,
        load_id
    from {{ source('raw', 'coingecko__asset_categories') }}
),

pairs as (
    select distinct
        coin_id,
        category_name
    from members
),

seen as (
    select distinct
        coin_id,
        load_id
    from members
),

followed as (
    -- Every load of a category in which a coin was seen that is ever in it.
    select
        pairs.coin_id,
        pairs.category_name,
        loads.load_number,
        loads.seen_date,
        members.coin_id is not null as is_member
    from pairs
    inner join loads on pairs.category_name = loads.category_name
    inner join seen
        on pairs.coin_id = seen.coin_id and loads.load_id = seen.load_id
    left join members
        on
            pairs.coin_id = members.coin_id
            and pairs.category_name = members.category_name
            and loads.load_id = members.load_id
    -- The first load counts as known since ever, as every undated table does.
    where loads.load_number = 1 or {{ known_at_as_of() }}
),

turns as (
    select
        coin_id,
        category_name,
        is_member,
        case when load_number > 1 then seen_date end as turn_date,
        load_number
    from followed
    qualify is_member is distinct from lag(is_member) over (partition by coin_id, category_name order by load_number)
),

spans as (
    select
        coin_id as token_id,
        category_name,
        is_member,
        turn_date as valid_from,
        lead(turn_date) over (partition by coin_id, category_name order by load_number) as valid_to
    from turns
),

curated as (
    select
        token_id,
        sector,
        is_primary,
        valid_from,
        -- An end in days to come is not known yet.
        case when valid_to < timezone('UTC', {{ as_of() }})::date then valid_to end as valid_to
    from {{ ref('sector_overrides') }}
    where valid_from is null or valid_from < timezone('UTC', {{ as_of() }})::date
)

select
    spans.token_id,
    seeds.sector,
    seeds.priority as sector_rank,
    spans.valid_from,
    spans.valid_to,
    'category' as basis
from spans
inner join {{ ref('sector_categories') }} as seeds on spans.category_name = seeds.category_name
where spans.is_member
union all
select
    token_id,
    sector,
    case when is_primary then 1 else 1000 end as sector_rank,
    valid_from,
    valid_to,
    'curated' as basis
from curated
union all
select
    token_id,
    case token_class when 'stable' then 'Stable' else 'Security token' end as sector,
    0 as sector_rank,
    null as valid_from,
    null as valid_to,
    class_basis as basis
from {{ ref('int_token_classes') }}
where token_class in ('stable', 'security') or (token_class = 'fund' and underlying_class is not null)
