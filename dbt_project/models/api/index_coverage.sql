-- Where an index has levels and where it has none. A week is available or not as a whole.
with weeks as (
    select
        index_id,
        as_of_week,
        any_value(status) as status,
        any_value(status_reason) as status_reason
    from {{ source('indices', 'levels_current') }}
    group by index_id, as_of_week
),

counted as (
    select
        index_id,
        count(*) filter (where status = 'available') as weeks_available,
        count(*) filter (where status = 'unavailable') as weeks_unavailable
    from weeks
    group by index_id
),

-- Reasons name days and counts, so those that differ only in numbers are one kind; the first of a kind stands for it.
kinds as (
    select
        index_id,
        regexp_replace(status_reason, '[0-9]+([-.][0-9]+)*', '#', 'g') as kind,
        count(*) as weeks,
        min(as_of_week) as first_week,
        min_by(status_reason, as_of_week) as reason
    from weeks
    where status = 'unavailable'
    group by all
),

frequent as (
    select
        index_id,
        reason,
        weeks
    from kinds
    qualify row_number() over (partition by index_id order by weeks desc, first_week asc) = 1
),

-- A holding says so where it has no price of the week's last close (models_ml/indices/reasons.py, held_since).
holdings as (
    select
        index_id,
        as_of_week,
        count(*) as members,
        coalesce(sum(weight) filter (where reason not like '%valued at its last one%'), 0) as priced_weight
    from {{ source('indices', 'compositions_current') }}
    group by index_id, as_of_week
),

held as (
    select
        index_id,
        median(members) as median_members,
        avg(priced_weight) as mean_priced_weight,
        min(priced_weight) as least_priced_weight
    from holdings
    group by index_id
)

select
    definitions.index_id,
    definitions.first_date as first_level_date,
    definitions.last_date as last_level_date,
    coalesce(counted.weeks_available, 0) as weeks_available,
    coalesce(counted.weeks_unavailable, 0) as weeks_unavailable,
    frequent.reason as unavailable_reason,
    frequent.weeks as unavailable_reason_weeks,
    held.median_members,
    held.mean_priced_weight,
    held.least_priced_weight,
    methodologies.undated_inputs
from {{ source('indices', 'definitions') }} as definitions
left join counted on definitions.index_id = counted.index_id
left join frequent on definitions.index_id = frequent.index_id
left join held on definitions.index_id = held.index_id
left join {{ source('indices', 'methodologies') }} as methodologies on definitions.index_id = methodologies.index_id
