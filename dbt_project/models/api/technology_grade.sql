select
    as_of_week,
    token_id,
    symbol,
    grade as technology_grade,
    grade - max(grade) over (
        partition by token_id order by as_of_week range between interval 7 day preceding and interval 7 day preceding
    ) as technology_grade_change_7d,
    basis,
    coverage,
    version,
    origin
from {{ ref('sub_grades') }}
where sub_grade = 'technology'
