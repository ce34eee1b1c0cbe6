-- Runs have no order of their own among their tables: that of their first step.
with runs as (
    select
        run_id,
        min(started_at) as began_at
    from {{ source('quality', 'run_steps') }}
    group by run_id
)

select
    written.run_id,
    written.as_of_week,
    written.table_name,
    written.step,
    written.table_rows,
    last_value(written.table_rows ignore nulls) over (
        partition by written.table_name
        order by runs.began_at
        rows between unbounded preceding and 1 preceding
    ) as table_rows_before,
    written.rows_added
from {{ source('quality', 'run_rows') }} as written
left join runs
    on written.run_id = runs.run_id
