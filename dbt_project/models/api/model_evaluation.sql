-- The heads are evaluated in tables of their own, since a week of a longer horizon becomes known later.
with evaluated as (
    select
        as_of_week,
        model,
        universe,
        metric,
        value
    from {{ source('versioned', 'model_evaluation_current') }}
    union all
    select
        as_of_week,
        model,
        universe,
        metric,
        value
    from {{ source('versioned', 'investor_evaluation_current') }}
)

select
    as_of_week,
    model,
    universe,
    metric,
    value,
    starts_with(universe, 'sector_') as is_hindsight
from evaluated
