-- How a model ranked the weeks it scored, so far as their labels have ended: only the trader model is evaluated every week.
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
        as_of_week,
        model_version
    from {{ source('versioned', 'trader_grades_current') }}
),

evaluated as (
    select
        graded_weeks.model_version,
        avg(evaluation.value) as mean_rank_ic,
        count(*) as evaluated_weeks
    from graded_weeks
    inner join {{ source('versioned', 'model_evaluation_current') }} as evaluation
        on
            graded_weeks.as_of_week = evaluation.as_of_week
            and evaluation.model = 'trader'
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
