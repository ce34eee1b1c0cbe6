-- The trailing ratio is a figure of many weeks already, so it has no mean over weeks.
select
    as_of_week,
    model,
    universe,
    metric,
    avg(value) over so_far as mean_value,
    count(*) over so_far as weeks
from {{ ref('model_evaluation') }}
where metric != 'icir_52w'
window so_far as (
    partition by model, universe, metric
    order by as_of_week
    rows between unbounded preceding and current row
)
