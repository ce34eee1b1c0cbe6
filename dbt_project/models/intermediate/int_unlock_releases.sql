-- Releases of tokens as their schedules stand on the newest day, the past and the future of them. Undated copies, which are hindsight,
-- speak only for tokens that no dated reading names. A release without tokens is a placeholder.
--
-- DefiLlama tells cliffs and linear releases; its instalments (steps) come as a cliff each. Three or more of one section that are equal
-- to a hundredth of a per cent are steps: of the instalments of an archive that names them, this finds 10,935 of 10,945.
{%- set fewest_steps = 3 %}
with dated as (
    select
        protocol,
        section,
        starts_at,
        unlock_type,
        coin_id,
        category,
        ends_at,
        amount_tokens,
        is_forecast,
        is_withdrawn,
        false as is_hindsight
    from {{ ref('stg_defillama__unlock_events') }}
    where coin_id is not null
    qualify row_number() over (
        partition by protocol, section, starts_at, unlock_type, position
        order by available_at desc
    ) = 1
),

undated as (
    select
        protocol,
        section,
        starts_at,
        unlock_type,
        coin_id,
        category,
        ends_at,
        amount_tokens,
        is_forecast,
        is_withdrawn,
        true as is_hindsight
    from {{ ref('stg_defillama__unlock_events_undated') }}
    where coin_id is not null and coin_id not in (select dated.coin_id from dated)
),

standing as (
    select
        protocol,
        section,
        starts_at,
        unlock_type,
        coin_id,
        category,
        ends_at,
        amount_tokens,
        is_forecast,
        is_hindsight
    from (
        select
            protocol,
            section,
            starts_at,
            unlock_type,
            coin_id,
            category,
            ends_at,
            amount_tokens,
            is_forecast,
            is_withdrawn,
            is_hindsight
        from dated
        union all
        select
            protocol,
            section,
            starts_at,
            unlock_type,
            coin_id,
            category,
            ends_at,
            amount_tokens,
            is_forecast,
            is_withdrawn,
            is_hindsight
        from undated
    ) as read_so_far
    where not is_withdrawn and amount_tokens > 0
),

tokens as (
    select distinct token_id
    from {{ ref('fct_daily') }}
),

counted as (
    select
        standing.coin_id as token_id,
        standing.protocol,
        standing.section,
        standing.category,
        standing.unlock_type,
        standing.starts_at,
        standing.ends_at,
        standing.amount_tokens,
        standing.is_forecast,
        standing.is_hindsight,
        count(*) over (
            partition by standing.protocol, standing.section, standing.unlock_type, round(ln(standing.amount_tokens), 4)
        ) as equal_releases
    from standing
    inner join tokens on standing.coin_id = tokens.token_id
)

select
    counted.token_id,
    counted.protocol,
    counted.section,
    counted.category,
    case
        when counted.unlock_type = 'cliff' and counted.equal_releases >= {{ fewest_steps }} then 'step'
        else counted.unlock_type
    end as unlock_type,
    counted.starts_at,
    counted.ends_at,
    counted.amount_tokens,
    coalesce(counted.is_forecast, false) as is_forecast,
    counted.is_hindsight,
    schedules.has_unknown_parts
from counted
left join {{ ref('stg_defillama__unlock_schedules') }} as schedules on counted.protocol = schedules.protocol
