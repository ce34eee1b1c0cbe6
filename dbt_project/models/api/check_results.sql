-- The newest result of each check; the history is in `quality.check_results`.
select
    tier,
    table_name,
    check_name,
    column_name,
    severity,
    is_passed,
    rows_checked,
    rows_failed,
    detail,
    offending_rows,
    checked_at,
    as_of_week,
    run_id
from {{ source('quality', 'check_results') }}
qualify row_number() over (
    partition by
        table_name,
        check_name,
        column_name
    order by checked_at desc, run_id desc
) = 1
