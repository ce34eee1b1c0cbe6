-- How a model ranked the weeks it scored, so far as their labels have ended: the ranking heads are evaluated every week.
with models as (
    select
        model,
        refit_date,
        model_version,
        column_count,
        column_names,
        training_first_week,
        training_last_week,
        training_rows,
        data_hash,
        parameters,
        constants,
        expires_date,
        is_in_force
    from {{ source('versioned', 'models') }}
),

graded_weeks as (
    select distinct
        'trader' as model,
        as_of_week,
        model_version
    from {{ source('versioned', 'trader_grades_current') }}
    union all
    select distinct
        'investor' as model,
        as_of_week,
        model_version
    from {{ source('versioned', 'investor_grades_current') }}
),

evaluated as (
    select
        graded_weeks.model_version,
        avg(evaluation.value) as mean_rank_ic,
        count(*) as evaluated_weeks
    from graded_weeks
    inner join {{ ref('model_evaluation') }} as evaluation
        on
            graded_weeks.as_of_week = evaluation.as_of_week
            and graded_weeks.model = evaluation.model
            and evaluation.universe = 'broad'
            and evaluation.metric = 'rank_ic'
    group by graded_weeks.model_version
)

select
    models.model,
    models.refit_date,
    models.model_version,
    models.column_count,
    models.column_names,
    models.training_first_week,
    models.training_last_week,
    models.training_rows,
    models.data_hash,
    models.parameters,
    models.constants,
    models.expires_date,
    models.is_in_force,
    evaluated.mean_rank_ic,
    evaluated.evaluated_weeks
from models
left join evaluated on models.model_version = evaluated.model_version
